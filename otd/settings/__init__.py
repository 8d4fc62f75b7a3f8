"""Settings: one otd.toml, the files beside it and the environment; every mistake is reported at once.

settings = load(Path("otd.toml"), os.environ)       # raises BadSettings with all mistakes
found = read(Path("otd.toml"), os.environ)          # gives mistakes and warnings back instead
secrets = settings.secrets(os.environ)              # looked up by name when they are needed
"""

from otd.settings.mistakes import BadSettings, Mistake
from otd.settings.reading import Found, load, read
from otd.settings.secrets import NamedSecrets, user_and_password
from otd.settings.values import (
    BusSettings,
    CalendarSettings,
    FaceAccess,
    FeedbackAccess,
    FilesAccess,
    Pool,
    RelaySettings,
    RunSettings,
    Settings,
)

__all__ = [
    "BadSettings",
    "BusSettings",
    "CalendarSettings",
    "FaceAccess",
    "FeedbackAccess",
    "FilesAccess",
    "Found",
    "Mistake",
    "NamedSecrets",
    "Pool",
    "RelaySettings",
    "RunSettings",
    "Settings",
    "load",
    "read",
    "user_and_password",
]
