"""What a site allows, decided at the site."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from fedlab.core.foreign import ModelLimits
from fedlab.errors import PrivacyError

__all__ = ["Policy", "Role"]

Role = Literal["analyst", "auditor", "owner"]
IDENTITY_DIGITS = 64


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules a site holds every request to, whoever asks.

    A request that breaks one is refused before a row is read, with the code of the rule.

    Parameters
    ----------
    epsilon : float, optional
        Privacy budget over everything the site ever answers with noise. None sets no limit.
    delta : float
        The δ at which the budget is composed and shown.
    exact : bool, optional
        Whether answers without noise are allowed. No ε covers those, so by default a site with a
        budget refuses them.
    minimum_rows : int
        Fewest rows, and fewest patients where the site knows them, that an answer may come from.
        Without noise it is also the fewest patients of any cell of a table, of any block of a
        histogram or of time, and of any difference between groups of two answers.
    grid_width : float
        Of a survival model's grid: the least distance between two of its times, in the unit of the
        target. 0 allows exact times too, which tell single patients apart; above 0 a site answers
        only on a grid that is no finer, unless with noise. Two grids that are a little apart tell
        more than either: agree on one.
    single_values : bool
        Whether counts up to any edge may be asked for without noise, from which values of single
        rows follow. Exact medians (``Preprocess(impute="median")``) and the bins of trees need
        them; False refuses both.
    error_sums : bool, optional
        Whether exact sums of a model's errors may be told (``fed.evaluate``: Brier score, log loss,
        errors of numbers). A model can be made so that such a sum is one known patient's value, so
        say True where models are looked at before, as with `approval`. By default only where
        `minimum_rows` is 1 and `single_values` holds; other sites tell counts, and bounds.
    unguarded : bool
        Whether exact answers may leave on their own that do not pass the law on small cells: those
        that models are trained by and scored with (``fed.train``), from gradients to counts of
        categories. A coordinator that sends weights of its own making can have them tell of one
        patient. False leaves them to secure sums and to noise.
    missing_cells : bool
        Whether small counts of patients *without* a value may be told: of a column's missing or
        unmapped values. Otherwise they are suppressed like any small cell, and what would give
        them away with them: that column's mean, say, and how many have a value.
    parameters_ratio : float, optional
        Most parameters of a model for each patient, where the site's exact curvature is asked for
        (Newton steps, standard errors, Cox's risk sets); a model with more nearly repeats its
        rows. It does not hold within a secure sum, which shows no single site's. By default 0.33,
        and no limit where `minimum_rows` is 1, since a single row may then be told anyway.
    minimum_sites : int
        Fewest sites whose answers may be added in a secure sum.
    collusion : bool
        Take part only in secure sums that hold out against a coordinator that works with fewer than
        a third of the sites, as of ``fl.SecureSum(collusion=True)``.
    reveal : bool
        Whether an answer may leave on its own; otherwise only within a secure sum.
    peers : mapping of str to str
        Identities of other sites (Ed25519 public keys, hexadecimal), as their data owners gave
        them. A secure sum is then among these sites only. Without it each is known by the identity
        it first showed, and a coordinator may invent sites that it knows the numbers of.
    purposes : sequence of str, optional
        Purposes that are allowed, e.g. ``("training", "evaluation", "summary")``; None for all.
    queries : sequence of str, optional
        Kinds of queries that are allowed, by the names of their classes; None for all.
    columns : sequence of str, optional
        Features that may be read. Others are not described and cannot be asked for; None for all.
        The target and the event can always be read: they are what the site offers to learn about.
    analysts, auditors, owners : mapping of str to str
        Names of actors and their identities (Ed25519 public keys, hexadecimal). Where analysts or
        auditors are named, every request must be signed by one of the three. Analysts may ask
        anything the rest of the policy allows; auditors and owners read descriptions, ledgers and
        heads of records only.
    approval : bool
        Whether requests that read rows need an approval that one of the `owners` signed.
    model_limits : ModelLimits
        What somebody else's model (``fed.evaluate``) may use up: time, computing, memory, size.

    Raises
    ------
    PrivacyError
        When a value is out of its range.

    Examples
    --------
    >>> Policy(epsilon=3.0).allows_exact
    False
    >>> Policy().allows_exact
    True
    >>> Policy(columns=["lab", "age"]).columns
    ('age', 'lab')
    """

    epsilon: float | None = None
    delta: float = 1e-5
    exact: bool | None = None
    minimum_rows: int = 11
    grid_width: float = 0.0
    single_values: bool = True
    error_sums: bool | None = None
    unguarded: bool = True
    missing_cells: bool = False
    parameters_ratio: float | None = None
    minimum_sites: int = 3
    collusion: bool = False
    reveal: bool = True
    peers: Mapping[str, str] = field(default_factory=dict)
    purposes: Sequence[str] | None = None
    queries: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    analysts: Mapping[str, str] = field(default_factory=dict)
    auditors: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    approval: bool = False
    model_limits: ModelLimits = field(default_factory=ModelLimits)

    def __post_init__(self) -> None:
        if self.epsilon is not None and not 0 < self.epsilon < math.inf:
            raise PrivacyError(
                "A site's budget epsilon must be positive.",
                f"{self.epsilon:g}",
                "Pass e.g. Policy(epsilon=3.0), or None for no limit.",
            )
        if not 0 < self.delta < 1:
            raise PrivacyError(
                "delta must lie between 0 and 1.", f"{self.delta:g}", "Pass e.g. delta=1e-5."
            )
        for name, least in (("minimum_rows", 1), ("minimum_sites", 3)):
            value = getattr(self, name)
            if value < least:
                raise PrivacyError(f"{name} must be at least {least}.", f"{value}", "Pass e.g. 11.")
        if self.parameters_ratio is not None and not 0 < self.parameters_ratio < math.inf:
            raise PrivacyError(
                "parameters_ratio must be finite and above 0.",
                f"{self.parameters_ratio:g}",
                "Pass e.g. parameters_ratio=0.33.",
            )
        if not 0 <= self.grid_width < math.inf:
            raise PrivacyError(
                "grid_width must be finite and at least 0.",
                f"{self.grid_width:g}",
                "Pass e.g. grid_width=30 for months, where time is in days.",
            )
        for name in ("purposes", "queries", "columns"):
            # A list that was passed could be changed later, by whoever still holds it.
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        self._check_actors()

    def _check_actors(self) -> None:
        roles: tuple[Mapping[str, str], ...] = (self.analysts, self.auditors, self.owners)
        names = [name for role in roles for name in role]
        if len(set(names)) < len(names) or "" in names:
            raise PrivacyError(
                "An actor has one name and one role.",
                "a name that is empty or stands in two roles",
                "Give each person a name of their own.",
            )
        for identity in (each for role in (*roles, self.peers) for each in role.values()):
            if len(identity) != IDENTITY_DIGITS or not _is_hexadecimal(identity):
                raise PrivacyError(
                    f"An identity is a public key of {IDENTITY_DIGITS} hexadecimal digits.",
                    f"a text of length {len(identity)}",
                    "Pass e.g. analysts={'ann': ann.public}.",
                )
        if self.approval and not self.owners:
            raise PrivacyError(
                "An approval needs a data owner who can give it.",
                "approval=True without owners",
                "Pass e.g. owners={'dr. lee': lee.public}.",
            )

    @property
    def allows_exact(self) -> bool:
        """Whether answers without noise are allowed, the default resolved."""
        return self.epsilon is None if self.exact is None else self.exact

    @property
    def most_parameters(self) -> float:
        """Of a model for each patient, the default resolved."""
        if self.parameters_ratio is not None:
            return self.parameters_ratio
        return 0.33 if self.minimum_rows > 1 else math.inf

    @property
    def allows_error_sums(self) -> bool:
        """Whether exact sums of a model's errors may be told, the default resolved."""
        return (
            self.single_values and (self.minimum_rows == 1)
            if self.error_sums is None
            else self.error_sums
        )

    @property
    def names_actors(self) -> bool:
        """Whether every request must be signed."""
        return bool(self.analysts or self.auditors)

    def known(self, actor: str) -> tuple[Role, bytes] | None:
        """Role and public key of an actor; None for a stranger."""
        for role in ("analyst", "auditor", "owner"):
            identity: str | None = getattr(self, f"{role}s").get(actor)
            if identity is not None:
                return role, bytes.fromhex(identity)
        return None

    @classmethod
    def read(cls, path: str | Path) -> Policy:
        """The policy in a TOML or JSON file, its keys named as the parameters.

        Raises
        ------
        PrivacyError
            When the file cannot be read, or a key is unknown or of another type.
        """
        path = Path(path)
        try:
            text = path.read_bytes()
            told: Any = (
                msgspec.json.decode(text)
                if path.suffix == ".json"
                else tomllib.loads(text.decode("utf-8"))
            )
            unknown = sorted(set(told) - {each.name for each in fields(cls)})
            if unknown:
                raise PrivacyError(
                    "A policy file has the keys of fl.Policy only.",
                    ", ".join(map(repr, unknown)),
                    "Correct the name; a rule that is not understood must not be passed over.",
                )
            return msgspec.convert(told, cls)
        except (OSError, ValueError, TypeError) as error:
            if isinstance(error, PrivacyError):
                raise
            raise PrivacyError(
                "A policy must be a readable TOML or JSON file.",
                f"{path.name!r}: {error}",
                "Correct the file.",
            ) from None

    def write(self, path: str | Path) -> None:
        """Write the policy as JSON, as `read` reads it."""
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def _names(name: str, given: object) -> tuple[str, ...] | None:
    if given is None:
        return None
    sound = isinstance(given, tuple | list | set | frozenset)
    names = list(given) if isinstance(given, tuple | list | set | frozenset) else []
    if not sound or not all(isinstance(each, str) for each in names):
        raise PrivacyError(
            f"{name} must be a list of names, or None for all.",
            f"{type(given).__name__}",
            f"Pass e.g. {name}=['age'].",
        )
    return tuple(sorted(set(names)))


def _is_hexadecimal(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
