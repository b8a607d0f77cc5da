"""scikit-learn's own tests of its MLP, run on ours with nothing but the import line changed."""

from pathlib import Path

import pytest
import sklearn.neural_network.tests

pytestmark = pytest.mark.filterwarnings("default")

IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
PRIVATE = {
    "test_gradient": "calls _loss_grad_lbfgs",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate",
}
"""What looks at attributes that are not public, and which ones."""

path = Path(sklearn.neural_network.tests.__file__).with_name("test_mlp.py")
source = path.read_text()
assert source.count(IMPORT) == 1
source = source.replace(IMPORT, "from multilayer import MLPClassifier, MLPRegressor")
exec(compile(source, str(path), "exec"))
for name in PRIVATE:
    del globals()[name]


@pytest.fixture(params=[0, 1, 42])
def global_random_seed(request):
    """scikit-learn's own fixture of that name."""
    return request.param
