"""mlplab: which fully connected network suits this data, and how strong is the evidence?"""

from mlplab.utils.lazy import lazy_exports

#: The public names; each is imported when it is first used, since `mlplab --help` needs none of them.
__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
