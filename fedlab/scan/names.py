"""(A) Names: after a title, after a label, or a common first name beside another name.

First names are the common ones of the births that the US Social Security Administration counted,
1923 to 2022, without those that are also words or places. A rare name without title or label is not
detected; names of authors are passed by where a year or "et al." follows.
"""

from __future__ import annotations

import re

from fedlab.scan.rule import Match, Rule

__all__ = ["FIRST_NAMES", "RULES", "looks_like_a_name"]

COMMON = """
aaron abigail adam adriana ahmed alan albert alejandro alex alexander alexandra alexis ali alice
alicia alison allen allison alyssa amanda amber amy ana andre andrea andres andrew angela ann anna
anne annette anthony antonio arthur ashley audrey barbara barry becky belinda benjamin bernard
beth betty beverly billy bobby bonnie brad bradley brady brandon brenda brent brett brian bridget
brittany bruce bryan caitlin caleb calvin cameron candice carl carla carlos carol carolyn carrie
casey cassandra catherine cesar chad charles cheryl christina christine christopher cindy claire
clayton clifford clinton cody colin colleen colton connie connor corey cory courtney craig curtis
cynthia daisy dalton damon daniel danielle darin darlene darrell darren daryl dave david deborah
debra denise dennis derek derrick devin devon diana diane dominic donald donna donovan doris
dorothy douglas duane dustin dwayne dylan eddie edgar eduardo edward edwin eileen elaine elena
elijah elizabeth ellen emily emma eric erica erik erin ernest ethan eugene evan evelyn fatima
fernando frances francisco frederick gabriel garrett gary gavin geoffrey george gerald gerardo
gilbert glen glenn gloria gordon greg gregory hannah hans harold hayden heather hector helen henry
herbert howard ian ingrid isaac isabella isaiah ivan jack jaclyn jacob jacqueline james jamie jan
jane janet janice jared jasmine jason jean jeff jeffery jeffrey jenna jennifer jeremy jerome jerry
jesse jessica jill jim jimmy joan joe joel john johnny jon jonathan jonathon jorge jose joseph
joshua joyce juan judith judy julia julian julie justin kaitlyn kara karen karl katherine kathleen
kathryn kathy katie kayla keith kelly kelsey kendra kenneth kevin kimberly kirk krista kristen
kristin kristina kristine kristopher kurt kyle larry lars latoya laura lauren lawrence leah leon
leonard leroy leslie levi linda lindsay lindsey lisa logan lonnie lori louis lucas lucy luis luke
lydia lynn mackenzie malik mallory manuel marc marcia marco marcus margaret maria marie marilyn
mario marissa martha marvin mary mathew matthew maurice maxwell megan meghan melanie melinda
melissa melvin mia micah michael micheal michele michelle miguel mike mindy miranda mitchell
mohammed molly monica morgan muhammad nancy natalie natasha nathan nathaniel neil nicholas nicole
noah norman olga olivia omar oscar paige pamela patricia patrick patty paul pedro peggy peter
philip phyllis pierre priscilla priya rachel rafael rahul ralph randall randy raul raymond rebecca
regina reginald renee rhonda ricardo richard rick ricky rita robert robyn rodney roger ronald
ronnie roy ruben russell ruth ryan sabrina samantha samuel sandra sara sarah scott sean sergio
seth shane sharon shaun shawn sheila shelby shelly sheri sherry shirley sofia sophia stacey stacy
stanley stephanie stephen steven stuart susan suzanne sylvia tammy tanya tara teresa terrance
terrence terry theodore theresa thomas tiffany timothy tina todd tom tommy toni tony tonya tracey
traci tracy travis trevor tristan troy tyler tyrone valerie vanessa vernon veronica vicki victor
victoria vincent walter warren wayne wei wendy wesley whitney william willie xavier yolanda yuki
yvette yvonne zachary
"""
FIRST_NAMES = frozenset(COMMON.split())
NO_PERSON = (
    "hospital clinic university foundation institute school college medical center centre "
    "and or the was is has had who with in at of"
)
NOT_SURNAMES = frozenset(NO_PERSON.split())
WORD = r"[A-Z][A-Za-z'-]{1,20}"
CITED = re.compile(r"[\s,*]{0,3}(?:et al|and colleagues|\(\d{4}|\[\d|\d{4}\b)")


def _is_cited(match: Match) -> bool:
    return CITED.match(match.string, match.end()) is not None


def _is_titled(match: Match) -> bool:
    return not _is_cited(match)


def _is_series_footer(match: Match) -> bool:
    """Pandas writes a column's name as ``Name: Sex, dtype: object`` under its values."""
    line = match.string[match.start("value") : match.end() + 20].partition("\n")[0]
    return re.search(r",\s(?:Length|dtype)\b", line) is not None


def looks_like_a_name(text: str) -> bool:
    """A person's name as it stands in a cell of a table.

    Examples
    --------
    >>> looks_like_a_name("Smith, John"), looks_like_a_name("logistic regression")
    (True, False)
    """
    words = re.findall(r"[A-Za-z'-]+", text[:80])
    if not 1 <= len(words) <= 4 or re.search(r"\d", text):
        return False
    return any(word.lower() in FIRST_NAMES for word in words)


def _has_first_name(match: Match) -> bool:
    first, comma, second = match["first"].lower(), match["comma"], match["second"].lower()
    if second in NOT_SURNAMES or first in NOT_SURNAMES or _is_cited(match):
        return False
    return second in FIRST_NAMES if comma else first in FIRST_NAMES


RULES = (
    Rule(
        "name",
        "a name after a title",
        re.compile(
            rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Doctor|Herr|Frau|Sr|Sra)\b\.?\s{{1,2}}"
            rf"(?P<value>{WORD}(?:\s{WORD}){{0,2}})"
        ),
        _is_titled,
    ),
    Rule(
        "name",
        "a name after a label",
        re.compile(
            r"(?:(?i:(?<![a-z])(?:(?:patient|first|last|given|family|full|middle|maiden|mother'?s"
            r"|father'?s|spouse|guardian|employer|physician|relative)(?:'s)?[\s_]{0,2}name|surname"
            r"|forename|next of kin|patient|guardian|spouse|relative|emergency contact"
            r"|referring physician|attending))|(?m:^\s{0,8}|[.;]\s)Name)"
            rf"""["']?\s{{0,2}}[:=|]\s{{0,2}}["']?(?P<value>{WORD}(?:,?\s{WORD}){{0,2}})"""
        ),
        lambda match: not _is_series_footer(match) and match["value"] not in {"None", "NaN"},
    ),
    Rule(
        "name",
        "a common first name beside another name",
        re.compile(
            rf"\b(?P<value>(?P<first>{WORD})(?P<comma>,?)\s{{1,2}}(?:[A-Z]\.?\s)?(?P<second>{WORD}))"
        ),
        _has_first_name,
    ),
)
