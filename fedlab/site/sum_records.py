"""What a site keeps of secure sums: who its peers are, what it began, and over whom it opened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from fedlab.errors import SecureSumError
from fedlab.privacy.secure.differencing import tells_few
from fedlab.privacy.secure.setting import LEAST_SITES, Setting
from fedlab.site.store import Store

__all__ = ["begin_once", "check_known", "keep_survivors", "pin"]


def check_known(store: Store, setting: Setting, site: str, named: Mapping[str, str]) -> None:
    """Raise SecureSumError for a peer with another identity, or not among those `named`.

    Parameters
    ----------
    store : Store
    setting : Setting
    site : str
        This site.
    named : mapping of str to str
        Identities of peers in the site's policy; empty where it names none.
    """
    known = dict(store.read("SELECT site, identity FROM peers"))
    # A setting whose lists do not fit is refused by its own check.
    for peer, identity in zip(setting.sites, setting.identities, strict=False):
        expected = named.get(peer) or known.get(peer)
        if expected is not None and expected != identity.hex():
            raise SecureSumError(
                "A peer must have the identity it is known by.",
                f"another one of {peer!r}",
                "Find out why; its data owner can tell the right one.",
            )
    # Whoever may invent sites holds as many shares as it likes.
    strangers = set(setting.sites) - set(named) - {site} if named else ()
    if strangers:
        raise SecureSumError(
            "Where a policy names peers, a secure sum is among those only.",
            f"{len(strangers)} others",
            "Have their identities put into the policy, or leave them out.",
        )


def pin(store: Store, setting: Setting, confirmed: Iterable[str]) -> None:
    """Remember who each peer is that signed as such, and know it from then on."""
    with store.transaction() as connection:
        known = {site for (site,) in connection.execute("SELECT site FROM peers")}
        for site in sorted(set(confirmed) & set(setting.sites) - known):
            connection.execute(
                "INSERT INTO peers (site, identity) VALUES (?, ?)",
                (site, setting.identity(site).hex()),
            )


def begin_once(store: Store, setting: Setting) -> None:
    """Write down that a sum was begun, so that it is not begun again, after a restart either.

    A site that began twice would sign twice, and others could be told either of its keys.

    Raises
    ------
    SecureSumError
        When it was begun before.
    """
    digest = setting.digest.hex()
    with store.transaction() as connection:
        if connection.execute("SELECT 1 FROM sums WHERE question = ?", (digest,)).fetchone():
            raise SecureSumError(
                "A site takes part in a secure sum once.",
                "one that was begun here before",
                "Start the sum again, which gives it another number.",
            )
        # With its own digest for a question, and nobody who survived: begun, not confirmed.
        connection.execute(
            "INSERT INTO sums (run, round, question, survivors) VALUES (?, ?, ?, '{}')",
            (setting.run, setting.round, digest),
        )


def keep_survivors(store: Store, setting: Setting, survivors: Iterable[str]) -> None:
    """Write down over whom a question is summed, before it can be opened.

    Raises
    ------
    SecureSumError
        When that sum and those confirmed before would together tell what few sites answered.
    """
    question = setting.question.hex()
    mine = {site: setting.weight(site) for site in sorted(survivors)}
    with store.transaction() as connection:
        kept = connection.execute(
            "SELECT DISTINCT survivors FROM sums WHERE question = ?", (question,)
        ).fetchall()
        # Lists without weights were written by earlier versions.
        told = [json.loads(listed) for (listed,) in kept]
        others = [each if isinstance(each, dict) else dict.fromkeys(each, 1) for each in told]
        distinct = [each for each in others if each != mine]
        if distinct and tells_few([*distinct, mine]):
            raise SecureSumError(
                "Sums of one question must not differ by fewer than "
                f"{LEAST_SITES} sites, whose own answer their difference would tell.",
                "survivors, or weights, too close to those that were confirmed",
                "Take another step of the run, with other parameters.",
            )
        connection.execute(
            "INSERT INTO sums (run, round, question, survivors) VALUES (?, ?, ?, ?)",
            (setting.run, setting.round, question, json.dumps(mine)),
        )
