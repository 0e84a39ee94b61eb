"""The names of data sets and splits; importing this module is fast."""

SPLITS = ("exercise6", "official", "random")

#: Built-in data sets with their descriptions.
DATASETS = {
    "mnist": "70,000 handwritten digits, 28×28 pixels (LeCun, Cortes and Burges 1998)",
    "digits": "1,797 handwritten digits, 8×8 pixels (from scikit-learn)",
}
