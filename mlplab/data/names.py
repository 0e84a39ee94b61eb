"""The names that a suite may use for data sets and splits; known without importing anything heavy."""

SPLITS = ("exercise6", "official", "random")

#: Built-in data sets, in a sentence each.
DATASETS = {
    "mnist": "70,000 handwritten digits, 28×28 pixels (LeCun, Cortes and Burges 1998)",
    "digits": "1,797 handwritten digits, 8×8 pixels (scikit-learn's)",
}
