"""All that decides dial strings, as data: so that it can be stored, compared, and gone back to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from typing import Any

from otd.dialplan.dialling import DialPlan, for_site
from otd.dialplan.rules import Rule, RuleSet, shipped
from otd.invites.site import Site
from otd.model import SavedRuling


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The rules of a site, those that came with OTD, the site's hosts and domains, and the version that reads them."""

    version: str  # of OTD
    rules: tuple[Rule, ...] = ()
    site: Site = field(default_factory=Site)
    private_dial: bool = True
    base: RuleSet = field(default_factory=shipped)

    @cached_property
    def plan(self) -> DialPlan:
        """The dial plan that it makes."""
        return for_site(self.rules, self.site, base=self.base)

    @cached_property
    def digest(self) -> str:
        """The same for what is the same."""
        return sha256(self._text.encode()).hexdigest()

    @property
    def saved(self) -> SavedRuling:
        """As the store keeps it."""
        return SavedRuling(digest=self.digest, text=self._text)

    @cached_property
    def _text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def restored(saved: SavedRuling) -> Ruling:
    """What was saved. What this version does not know in it is passed over."""
    said = json.loads(saved.text)
    base = {**_known(RuleSet, said["base"]), "rules": tuple(_rule(one) for one in said["base"]["rules"])}
    return Ruling(
        version=said["version"],
        rules=tuple(_rule(one) for one in said["rules"]),
        site=Site(**_known(Site, said["site"])),
        private_dial=said["private_dial"],
        base=RuleSet(**base),
    )


def _rule(said: Mapping[str, Any]) -> Rule:
    return Rule(**_known(Rule, said))


def _known(kind: Any, said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that this version knows; lists, however deep, are tuples again."""
    return {name: _tuples(said[name]) for name in (one.name for one in fields(kind)) if name in said}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
