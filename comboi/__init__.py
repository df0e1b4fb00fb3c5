"""comboi from Python: open a project, run it, read what it has made.

```python
import comboi

project = comboi.Project.open("shop")
project.run(select=["orders_clean"]).raise_for_status()
table = project.table("shop.orders").read(limit=10)   # a pyarrow.Table
```

The command line does the same and more. Both start runs over the HTTP API, on the embedded host or on an app in Azure.
"""

from comboi.project import Project
from comboi.relation import Relation
from comboi.run import Run, RunFailed
from comboi_core.domain.errors import ComboiError, ConfigError

__all__ = ["ComboiError", "ConfigError", "Project", "Relation", "Run", "RunFailed"]
