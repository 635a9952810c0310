"""What a bad site sends instead of its update.

A poison sees vectors alone: the site's own update and, where it is omniscient, those of the honest
sites of the same round. How it is brought in is `hostile`'s business.

====================  ==========================================================  =============
poison                sends                                                       omniscient
====================  ==========================================================  =============
`LabelFlip`           honest training on turned labels                            no
`SignFlip`            its update turned round and made longer                     no
`ModelReplacement`    an update to another model, longer by what others dilute    no
`ALIE`                the honest mean, a little off in every parameter            yes
`IPM`                 the honest mean turned round                                yes
====================  ==========================================================  =============
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array
from fedlab.errors import TrainingError
from fedlab.strategies.checks import positive

__all__ = [
    "ALIE",
    "IPM",
    "LabelFlip",
    "ModelReplacement",
    "Poison",
    "SignFlip",
    "check_poison",
    "flip_labels",
]


@dataclass(frozen=True, kw_only=True)
class Poison(ABC):
    """One way to spoil a round.

    Attributes
    ----------
    omniscient : bool
        Whether it needs the honest sites' updates of the round, which a real site never sees; it
        is the strongest adversary that a rule has to stand.
    turns_labels : bool
        Whether the bad site trains on turned labels (`flip_labels`) in the first place.
    """

    omniscient: ClassVar[bool] = False
    turns_labels: ClassVar[bool] = False

    @abstractmethod
    def sent(self, own: Array, honest: Array, n_bad: int) -> Array:
        """The vector that one bad site sends.

        Parameters
        ----------
        own : ndarray of shape (n_parameters,)
            What its training gave.
        honest : ndarray of shape (n_honest, n_parameters)
            The other sites' updates.
        n_bad : int
            Bad sites of the round, itself among them.

        Returns
        -------
        ndarray of shape (n_parameters,)
        """


def flip_labels(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows with their labels turned round: of K classes in order, the i-th for the K-1-i-th.

    Fang, Cao, Jia and Gong 2020, "Local model poisoning attacks to Byzantine-robust federated
    learning", USENIX Security, arXiv 1911.11815, section 5.

    Examples
    --------
    >>> flip_labels(pd.DataFrame({"grade": [0, 1, 2]}), "grade")["grade"].tolist()
    [2, 1, 0]
    """
    column = frame[target]
    classes = list(
        column.cat.categories
        if isinstance(column.dtype, pd.CategoricalDtype)
        else sorted(column.unique())
    )
    turned = dict(zip(classes, reversed(classes), strict=True))
    return frame.assign(**{target: column.map(turned).astype(column.dtype)})


class LabelFlip(Poison):
    """Honest training on turned labels.

    Biggio, Nelson and Laskov 2012, "Poisoning attacks against support vector machines", ICML; in
    federated learning Tolpegin et al. 2020, arXiv 2007.08432. What is sent looks like any update.

    Examples
    --------
    >>> LabelFlip().sent(np.array([1.0]), np.zeros((2, 1)), n_bad=1)
    array([1.])
    """

    turns_labels: ClassVar[bool] = True

    def sent(self, own: Array, honest: Array, n_bad: int) -> Array:
        """Its own update."""
        return own


@dataclass(frozen=True, kw_only=True)
class SignFlip(Poison):
    """The site's own update turned round: ``-scale`` times it.

    Li, Xu, Chen, Giannakis and Ling 2019, "RSA: Byzantine-robust stochastic aggregation methods",
    AAAI, arXiv 1811.03761, section 5.

    Parameters
    ----------
    scale : float
        How many times as long. With a share of bad sites b, a plain mean goes uphill above
        ``(1 - b) / b``.

    Raises
    ------
    TrainingError
        When scale is not positive.

    Examples
    --------
    >>> SignFlip(scale=3.0).sent(np.array([1.0]), np.zeros((2, 1)), n_bad=1)
    array([-3.])
    """

    scale: float = 4.0

    def __post_init__(self) -> None:
        positive("scale", self.scale)

    def sent(self, own: Array, honest: Array, n_bad: int) -> Array:
        """``-scale own``."""
        return -self.scale * own


@dataclass(frozen=True, kw_only=True)
class ModelReplacement(Poison):
    """An update to another model, made longer by what the other sites dilute it.

    Bagdasaryan, Veit, Hua, Estrin and Shmatikov 2020, "How to backdoor federated learning",
    AISTATS, arXiv 1807.00459, equation 3. The other model is the one that turned labels lead to.

    Parameters
    ----------
    scale : float, optional
        How many times as long; by default sites over bad sites, with which the plain mean of sites
        of equal size becomes that model once the honest ones have little left to say.

    Raises
    ------
    TrainingError
        When scale is not positive.

    Examples
    --------
    >>> ModelReplacement().sent(np.array([1.0]), np.zeros((3, 1)), n_bad=1)
    array([4.])
    """

    turns_labels: ClassVar[bool] = True

    scale: float | None = None

    def __post_init__(self) -> None:
        positive("scale", self.scale, optional=True)

    def sent(self, own: Array, honest: Array, n_bad: int) -> Array:
        """``scale own``."""
        return ((len(honest) + n_bad) / n_bad if self.scale is None else self.scale) * own


@dataclass(frozen=True, kw_only=True)
class ALIE(Poison):
    """The honest mean, off by so few standard deviations that honest sites look worse.

    Baruch, Baruch and Goldberg 2019, "A little is enough: circumventing defenses for distributed
    learning", NeurIPS, arXiv 1902.06156, algorithm 3. Which way is off does not matter to the
    paper; here it is down in every parameter.

    Parameters
    ----------
    deviations : float, optional
        How far off (z in the paper); by default the largest with which, if updates are Gaussian, a
        majority is with the bad sites: ``Φ^-1((n - f - s) / (n - f))`` with
        ``s = floor(n / 2 + 1) - f``.

    Raises
    ------
    TrainingError
        When deviations is not positive.

    Examples
    --------
    >>> honest = np.array([[1.0], [2.0], [3.0]])
    >>> ALIE(deviations=1.0).sent(np.array([9.0]), honest, n_bad=1).round(4)
    array([1.1835])
    """

    omniscient: ClassVar[bool] = True

    deviations: float | None = None

    def __post_init__(self) -> None:
        positive("deviations", self.deviations, optional=True)

    def sent(self, own: Array, honest: Array, n_bad: int) -> Array:
        """``mean - z deviation``, the same from every bad site."""
        deviations = self.deviations or self.furthest(len(honest) + n_bad, n_bad)
        return np.asarray(honest.mean(axis=0) - deviations * honest.std(axis=0), dtype=np.float64)

    @staticmethod
    def furthest(n_sites: int, n_bad: int) -> float:
        """The default of `deviations`.

        Examples
        --------
        The paper's example of 50 workers, 24 of them corrupt:

        >>> round(ALIE.furthest(50, 24), 2)
        1.43
        """
        from scipy.stats import norm

        supporters = n_sites // 2 + 1 - n_bad
        honest = n_sites - n_bad
        # With a majority of bad sites any distance would do; the paper's workers are a minority.
        share = min(max((honest - supporters) / honest, 0.5), 1 - 1 / (2 * honest))
        return float(norm.ppf(share))


@dataclass(frozen=True, kw_only=True)
class IPM(Poison):
    """The honest mean turned round, so that the aggregate points uphill.

    Xie, Koyejo and Gupta 2020, "Fall of empires: breaking Byzantine-tolerant SGD by inner product
    manipulation", UAI, arXiv 1903.03936, section 3.

    Parameters
    ----------
    epsilon : float
        ``-epsilon`` times the honest mean. Small values slip past rules that look for outliers.

    Raises
    ------
    TrainingError
        When epsilon is not positive.

    Examples
    --------
    >>> IPM(epsilon=0.5).sent(np.array([9.0]), np.array([[1.0], [3.0]]), n_bad=1)
    array([-1.])
    """

    omniscient: ClassVar[bool] = True

    epsilon: float = 0.5

    def __post_init__(self) -> None:
        positive("epsilon", self.epsilon)

    def sent(self, own: Array, honest: Array, n_bad: int) -> Array:
        """``-epsilon mean``, the same from every bad site."""
        return np.asarray(-self.epsilon * honest.mean(axis=0), dtype=np.float64)


def check_poison(name: str, poison: object) -> None:
    """Raise TrainingError unless `poison` is one."""
    if not isinstance(poison, Poison):
        raise TrainingError(
            "A bad site needs a poison.",
            f"a {type(poison).__name__} for {name!r}",
            "Pass e.g. fl.attacks.SignFlip().",
        )
