"""What the console says in place of the doctor's words: all of it, in every language, in words of its forms."""

import re

from ringpost.console.doctor_words import TITLES, TO_DO
from ringpost.console.languages import languages
from ringpost.console.recognition import PASSWORDS, USER_NAMES
from ringpost.domain.diagnosis import StepName
from ringpost.domain.providers import PROVIDERS
from ringpost.domain.traps import TRAPS


def test_every_word_of_the_catalogues_can_be_translated() -> None:
    assert {one.username for one in PROVIDERS} <= set(USER_NAMES)
    assert {one.password for one in PROVIDERS} <= set(PASSWORDS)
    assert set(TITLES) == set(StepName)
    assert set(TO_DO) <= set(TRAPS)


def test_advice_to_choose_microsoft_365_says_whom_it_is_not_for() -> None:
    told = {code: text for code, text in TO_DO.items() if "Microsoft 365" in text}

    assert told
    for text in told.values():
        for language, word in (("en", "personal"), ("de", "persönlichen")):
            assert word in languages()[language].say(text)


def test_no_advice_speaks_of_fields_of_the_api() -> None:
    fields = re.compile(
        r"enable_|starttls_auto|\bset auth|auth setting|client_id|client_secret|reply_to|\busername\b|MS365|Set cloud"
    )
    for code, trap in TRAPS.items():
        for text in (trap.title, trap.sign, trap.explanation, TO_DO.get(code, trap.what_to_do)):
            for language in languages().values():
                assert not fields.search(language.say(text)), (code, language.tag)
