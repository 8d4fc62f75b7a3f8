"""What every Store promises (otd.ports.Store), as tests that each database inherits."""

from __future__ import annotations

from tests.contracts.store_alerts import AlertsContract
from tests.contracts.store_audit import AuditContract
from tests.contracts.store_brakes import BrakesContract
from tests.contracts.store_delivery import DeliveryContract
from tests.contracts.store_imported import ImportedContract
from tests.contracts.store_keeping import KeepingContract
from tests.contracts.store_lanes import LanesContract
from tests.contracts.store_learning import LearningContract
from tests.contracts.store_lists import ListsContract
from tests.contracts.store_pairing import PairingContract
from tests.contracts.store_questions import QuestionsContract
from tests.contracts.store_settings import SettingsContract
from tests.contracts.store_subscriptions import SubscriptionsContract
from tests.contracts.store_threads import ThreadsContract
from tests.contracts.store_work import WorkContract


class StoreContract(
    SettingsContract,
    WorkContract,
    LanesContract,
    ListsContract,
    DeliveryContract,
    ThreadsContract,
    KeepingContract,
    ImportedContract,
    BrakesContract,
    LearningContract,
    QuestionsContract,
    PairingContract,
    AuditContract,
    AlertsContract,
    SubscriptionsContract,
):
    """All of it."""
