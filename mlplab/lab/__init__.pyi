# One public name a line: `mlplab.utils.lazy` reads this file, and so do type checkers.
from mlplab.lab.run import Run as Run
from mlplab.lab.run import compare_results as compare_results
from mlplab.lab.run import open_run as open_run
from mlplab.lab.runner import run_suite as run_suite
from mlplab.lab.spec.search import Search as Search
from mlplab.lab.spec.suite import Experiment as Experiment
from mlplab.lab.spec.suite import Suite as Suite
from mlplab.lab.spec.suite import load_suite as load_suite
from mlplab.lab.storage.frames import load_results as load_results
from mlplab.stats.comparison import Comparison as Comparison
from mlplab.stats.comparison import compare_configurations as compare_configurations
