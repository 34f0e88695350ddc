"""Facts about models and their prices, as data. The rows live beside this file and operators can override them.

Nothing elsewhere may decide by a model's name: ask ``find_facts``, or ``PriceTable.find`` for what it costs.
"""

from lockgate.catalog.facts import FactRow as FactRow
from lockgate.catalog.facts import FactTable as FactTable
from lockgate.catalog.facts import ModelFacts as ModelFacts
from lockgate.catalog.facts import find_facts as find_facts
from lockgate.catalog.facts import load_facts as load_facts
from lockgate.catalog.facts import packaged_facts as packaged_facts
from lockgate.catalog.facts import packaged_rows as packaged_rows
from lockgate.catalog.prices import ModelRates as ModelRates
from lockgate.catalog.prices import Multipliers as Multipliers
from lockgate.catalog.prices import RateCard as RateCard
from lockgate.catalog.prices_book import LIST_TERMS as LIST_TERMS
from lockgate.catalog.prices_book import ModelTerms as ModelTerms
from lockgate.catalog.prices_book import PriceTable as PriceTable
from lockgate.catalog.prices_book import PriceTerms as PriceTerms
from lockgate.catalog.prices_book import load_prices as load_prices
from lockgate.catalog.prices_book import packaged_prices as packaged_prices
from lockgate.catalog.prices_cost import Cost as Cost
from lockgate.catalog.prices_cost import CostStatus as CostStatus
from lockgate.catalog.prices_cost import price as price
from lockgate.catalog.prices_cost import worst_case as worst_case
from lockgate.catalog.prices_terms import card_of as card_of
from lockgate.catalog.prices_terms import pricing_answer as pricing_answer
from lockgate.catalog.prices_terms import read_multipliers as read_multipliers
from lockgate.catalog.prices_terms import read_pricing_config as read_pricing_config
