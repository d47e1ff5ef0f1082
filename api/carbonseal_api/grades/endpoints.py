"""Routes about low-carbon grades: by credit code for those who may see them, and grading anew."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from carbonseal_api.documented import answers, problems
from carbonseal_api.grades import service
from carbonseal_api.grades.asking import ask, ask_published
from carbonseal_api.grades.schemas import GradeRow, GradeView, GradingAsked, shown_rows
from carbonseal_api.grades.service import GradeAnswer
from carbonseal_api.incoming import caller, parts_of
from carbonseal_api.paging import Paging

router = APIRouter(tags=["grades"])

AsOf = Annotated[
    str | None,
    Query(
        max_length=40,
        description="A civil day of China, which stands for its end, or an instant; left out: now.",
        examples=["2027-03-01"],
    ),
]
Rule = Annotated[
    str | None, Query(max_length=80, description=f"ID@VERSION; left out: {service.DEFAULT_RULE}.")
]
MOST_SHOWN: Final = 50  # grades in the answer to grading; the list of them has pages
_CODES = (401, 403, 404, 422)


@router.get("/grades/{credit_code}", summary="The grade in force", responses=problems(*_CODES))
async def get_grade(credit_code: str, request: Request, as_of: AsOf = None, rule: Rule = None) -> GradeView:
    """Return the low-carbon grade of an organisation with reasons and proof.

    A bank needs a standing grant of purpose loan. Each query by another party is recorded for the
    organisation, refused ones too.
    """
    answer = await _asked(credit_code, request, as_of, rule, "")
    return GradeView.of(answer, credit_code)


@router.get(
    "/grades/{credit_code}/input.json",
    summary="The input of the grade in force",
    responses=answers("application/json", "The very bytes that the statement carries.", *_CODES),
    response_class=Response,
)
async def get_grade_input(
    credit_code: str, request: Request, as_of: AsOf = None, rule: Rule = None
) -> Response:
    """Return the input, for `carbonseal-verifier grade`."""
    answer = await _asked(credit_code, request, as_of, rule, "/input.json")
    return Response(answer.input, media_type="application/json")


@router.get(
    "/grades/{credit_code}/result.json",
    summary="The result of the grade in force",
    responses=answers("application/json", "The very bytes that the statement carries.", *_CODES),
    response_class=Response,
)
async def get_grade_result(
    credit_code: str, request: Request, as_of: AsOf = None, rule: Rule = None
) -> Response:
    """Return the result, as `carbonseal-verifier grade --json -` prints it from the input."""
    answer = await _asked(credit_code, request, as_of, rule, "/result.json")
    return Response(answer.result, media_type="application/json")


@router.get("/organisations/{party}/grades", summary="Grades of an organisation", responses=problems(*_CODES))
async def list_grades(party: str, request: Request, page: Paging) -> list[GradeRow]:
    """Return every grade that the organisation was ever given, newest first."""
    (await caller(request)).require_party(party)
    parts = parts_of(request)
    rows = await run_in_threadpool(service.history, parts, party)
    shown = page.cut(rows, lambda row: (row["entry_index"],), newest_first=True)
    return await run_in_threadpool(shown_rows, parts, shown)


@router.post(
    "/organisations/{party}/grades",
    summary="Grade an organisation now",
    responses=problems(401, 403, 404, 409, 503),
)
async def grade_organisation(party: str, request: Request) -> GradingAsked:
    """Have the log host grade the organisation; where nothing has changed, no new statement is made."""
    (await caller(request)).require_party(party)
    parts = parts_of(request)

    def work() -> GradingAsked:
        is_new = service.require_graded(parts, party, at=parts.clock())
        rows = service.history(parts, party)
        return GradingAsked(is_new=is_new, grades=shown_rows(parts, rows[:MOST_SHOWN]))

    return await run_in_threadpool(work)


@router.get(
    "/published/{credit_code}/grade", summary="A grade shown to everybody", responses=problems(404, 422)
)
async def get_published_grade(
    credit_code: str, request: Request, as_of: AsOf = None, rule: Rule = None
) -> GradeView:
    """Return the grade of an organisation that shows it to everybody, with its proof; no key is needed."""
    answer = await run_in_threadpool(ask_published, parts_of(request), credit_code, as_of=as_of, rule=rule)
    return GradeView.of(answer, credit_code, f"/published/{credit_code}/grade")


@router.get(
    "/published/{credit_code}/grade/{name}.json",
    summary="Input or result of a grade shown to everybody",
    responses=answers("application/json", "The very bytes that the statement carries.", 404, 422),
    response_class=Response,
)
async def get_published_grade_file(
    credit_code: str,
    name: Literal["input", "result"],
    request: Request,
    as_of: AsOf = None,
    rule: Rule = None,
) -> Response:
    """Return the input, or the result, of a grade that is shown to everybody."""
    answer = await run_in_threadpool(ask_published, parts_of(request), credit_code, as_of=as_of, rule=rule)
    return Response(answer.input if name == "input" else answer.result, media_type="application/json")


async def _asked(
    credit_code: str, request: Request, as_of: str | None, rule: str | None, part: str
) -> GradeAnswer:
    principal = await caller(request)
    return await run_in_threadpool(
        ask, parts_of(request), principal, credit_code, as_of=as_of, rule=rule, part=part
    )
