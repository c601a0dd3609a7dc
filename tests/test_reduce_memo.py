from __future__ import annotations

from collector.reduce.memo import Memo
from tests.nasty import texts_within


def test_an_answer_is_remembered_under_the_hash_of_its_question() -> None:
    memo: Memo[str] = Memo(10)
    assert memo.get(hash("question")) is None
    assert memo.put(hash("question"), "answer") == "answer"
    assert memo.get(hash("question")) == "answer"


def test_the_oldest_tenth_goes_when_it_is_full() -> None:
    memo: Memo[int] = Memo(100)
    for question in range(101):
        memo.put(question, question)
    assert [memo.get(question) for question in (0, 9, 10, 99, 100)] == [None, None, 10, 99, 100]
    assert len(memo) == 91


def test_it_never_holds_more_than_its_limit() -> None:
    for limit in (1, 2, 9, 10, 1_000):
        memo: Memo[int] = Memo(limit)
        sizes = []
        for question in range(5 * limit):
            memo.put(question, question)
            sizes.append(len(memo))
        assert max(sizes) == limit
        assert memo.get(5 * limit - 1) == 5 * limit - 1


def test_questions_are_never_kept() -> None:
    memo: Memo[tuple[str]] = Memo(10)
    memo.put(hash(("a question of somebody's", 1)), ("an answer",))
    held = texts_within(memo)
    assert "an answer" in held  # the search finds what is there
    assert "somebody" not in held
