"""Facts about models, as data. The rows live in ``models.toml`` beside this file and operators can override them.

Nothing elsewhere may decide by a model's name: ask ``find_facts``.
"""

from lockgate.catalog.facts import FactRow as FactRow
from lockgate.catalog.facts import FactTable as FactTable
from lockgate.catalog.facts import ModelFacts as ModelFacts
from lockgate.catalog.facts import find_facts as find_facts
from lockgate.catalog.facts import load_facts as load_facts
from lockgate.catalog.facts import packaged_facts as packaged_facts
from lockgate.catalog.facts import packaged_rows as packaged_rows
