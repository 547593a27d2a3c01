"""Examples for each command: shown at the end of its `--help`, and in the documentation."""

from __future__ import annotations

import typer

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("cellos demo", "cellos demo --question selectivity --seed 7"),
    "plan": ("cellos plan campaign.yaml",),
    "rehearse": ("cellos rehearse campaign.yaml", "cellos rehearse campaign.yaml --edge 0.3 --drift 0.2"),
    "split-plate": ("cellos split-plate campaign.yaml", "cellos split-plate campaign.yaml --compounds 4"),
    "plan-table": ("cellos plan-table screen.csv --outcome viability --goal minimise --batch 8 --out next.csv",),
    "learn-prior": ("cellos learn-prior --out prior.yaml", "cellos learn-prior first-look second-look --from vague"),
    "run": ("cellos run campaign.yaml", "cellos run campaign.yaml --submit --db lab.db"),
    "resume": ("cellos resume first-look",),
    "stop": ("cellos stop first-look", 'cellos stop first-look --now --reason "the incubator is off"'),
    "rollback": ("cellos rollback first-look --to 2 --reason 'plate 3 was exchanged'",),
    "fork": ("cellos fork first-look --at 2 --set planner.acquisition=ucb --set max_iterations=8",),
    "overrule": ("cellos overrule first-look/i002-p1 --reason 'seen by eye'",
                 "cellos overrule first-look/i002-p1 --withdraw --reason 'the rows were exchanged after all'"),
    "status": ("cellos status", "cellos status first-look --watch"),
    "list": ("cellos list", "cellos list --json"),
    "compare": ("cellos compare", "cellos compare first-look second-look --json"),
    "daemon": ("cellos daemon", "cellos daemon --real --metrics-port 9108",
               "cellos daemon --once    # one tick, for cron"),
    "queue": ("cellos queue", "cellos queue --cancel 12"),
    "dead-letters": ("cellos dead-letters", "cellos dead-letters --requeue 12"),
    "pause": ("cellos pause --reason 'cleaning the deck'",),
    "kill": ("cellos kill --reason 'smoke'",),
    "resume-queue": ("cellos resume-queue",),
    "approve": ("cellos approve first-look/i002-p1 --mark-done", "cellos approve first-look/i002-p1 --continue 37"),
    "proof": ("cellos proof campaign.yaml", "cellos proof first-look/i002-p1"),
    "approve-workflow": ("cellos approve-workflow --workflow 3f6c… --machine ot2-left --expires-h 8",
                         "cellos approve-workflow --workflow 3f6c… --machine ot2-left --withdraw --reason 'old tips'"),
    "export": ("cellos export first-look --csv history.csv", "cellos export first-look --parquet history.parquet",
               "cellos export first-look --documents documents"),
    "history guess": ("cellos history guess screen.xlsx --sheet Data --out map.yaml",),
    "history import": ("cellos history import screen.csv --mapping map.yaml --check",
                       "cellos history import screen.xlsx --sheet Data --mapping map.yaml --name 'screen of 2023'"),
    "scoreboard": ("cellos scoreboard first-look --planner random --planner mechanistic/entropy",),
    "scheduler": ("cellos scheduler", "cellos scheduler --port 8790"),
    "worker": ("cellos worker --scheduler tcp://127.0.0.1:8786 --robot left --machine biology --ledger left.ledger",),
    "lab": ("cellos lab", "cellos lab --db lab.db --folder my-room --no-browser", "cellos lab --app"),
    "new": ("cellos new planner my-idea", "cellos new machine plate-washer --folder plug-ins"),
    "doctor": ("cellos doctor",),
    "record write": ("cellos record first-look", "cellos record write first-look --records archive"),
    "record verify": ("cellos record verify records/first-look",),
    "record rerun": ("cellos record rerun records/first-look",),
    "audit list": ("cellos audit list", "cellos audit list --about first-look --kind approval --since 2026-03-01"),
    "audit show": ("cellos audit show 12",),
    "audit verify": ("cellos audit verify", "cellos audit verify --head 9a3b…",
                     "cellos audit verify --file records/first-look/audit_log.jsonl"),
    "audit head": ("cellos audit head",),
    "audit export": ("cellos audit export audit.jsonl", "cellos audit export first-look.jsonl --about first-look"),
    "templates": ("cellos templates", "cellos templates --json"),
    "templates run": ("cellos templates run dose_response_report curves.ipynb -p source=records/first-look --html",),
    "assistant draft": ("cellos assistant draft 'Which of A and B kills U2OS?' --out campaign.yaml",),
    "assistant summary": ("cellos assistant summary first-look",),
    "bench": ("cellos bench",),
    "bench show": ("cellos bench show 3",),
    "bench done": ("cellos bench done 3 --barcode PB-77", "cellos bench done 3 --skip B4,B5 --note bubble",
                   "cellos bench done 6 --file plate.csv"),
    "bench fail": ("cellos bench fail 3 --reason 'dropped it'",),
    "bench protocol": ("cellos bench protocol first-look/i001-p1",),
    "bench files": ("cellos bench files", "cellos bench files --get 3f6c…"),
    "costs": ("cellos costs first-look", "cellos costs first-look --json"),
    "inventory list": ("cellos inventory list", "cellos inventory list --json"),
    "inventory lots": ("cellos inventory lots", "cellos inventory lots DMEM --empty"),
    "inventory ledger": ("cellos inventory ledger DM-0417 --all", "cellos inventory ledger --csv ledger.csv"),
    "inventory reorder": ("cellos inventory reorder", "cellos inventory reorder --csv order.csv"),
    "inventory usage": ("cellos inventory usage", "cellos inventory usage first-look"),
    "inventory reconcile": ("cellos inventory reconcile",),
    "inventory export": ("cellos inventory export --csv stock.csv",),
    "inventory import": ("cellos inventory import stock.csv", "cellos inventory import stock.csv --check"),
    "inventory declare": (
        ("cellos inventory declare DMEM --set kind=medium --set unit=mL --set pack_size=500 "
         "--set pack_price_usd=49.99 --set price_as_of=2026-11-01 --set price_source='quotation 17'"),
        "cellos inventory declare DMEM --set reorder_point=100",
    ),
    "inventory withdraw": ("cellos inventory withdraw DMEM",),
    "inventory receive": ("cellos inventory receive DMEM --lot DM-0417 --expires 2027-03-31 --location fridge-2",
                          "cellos inventory receive DMEM 1000 --lot DM-0502 --price 89.90 --source 'invoice 881'",
                          "cellos inventory receive DMEM --lot DM-0503 --resume"),
    "inventory use": ("cellos inventory use DM-0417 25 --reason 'thawed a vial of A549'",),
    "inventory thaw": ("cellos inventory thaw STS-3 --reason 'checked the concentration'",),
    "inventory adjust": ("cellos inventory adjust DM-0417 412.5 --reason 'weighed the bottle'",),
    "inventory discard": ("cellos inventory discard DM-0417 --reason cloudy",
                          "cellos inventory discard P-96-1 2 --reason dropped"),
    "calendar plan": ("cellos calendar plan examples/week.yaml --out plan.json",
                      "cellos calendar plan examples/week.yaml --first-come --ics plan.ics"),
    "calendar show": ("cellos calendar show plan.json --for Ada", "cellos calendar show plan.json --db lab.db"),
    "calendar check": ("cellos calendar check plan.json",),
    "calendar replan": (
        "cellos calendar replan plan.json --at '2026-03-04 09:40' --late reporter-hits/i001-p1:4-dose=90",
        "cellos calendar replan plan.json --at '2026-03-04 09:40' --away lh-2='2026-03-04 09:40/2026-03-05 12:00'",
    ),
    "bank template": ("cellos bank template > bank.yaml",),
    "bank simulate": ("cellos bank simulate bank.yaml", "cellos bank simulate bank.yaml --runs 10000 --csv runs.csv"),
    "bank crash-test": ("cellos bank crash-test bank.yaml --incubator-fails 9",
                        "cellos bank crash-test bank.yaml --bank working --person-away 10-14 --contamination-found 12"),
    "bank sensitivity": ("cellos bank sensitivity bank.yaml --of days",
                         "cellos bank sensitivity bank.yaml --of success --vary post_thaw_viability=0.75:0.95"),
    "bank tasks": ("cellos bank tasks bank.yaml --begins 'Mon 09:00'",),
    "bank receive": ("cellos bank receive bank.yaml --bank working --vials 104 --passage 6 --lot WCB-1",),
    "facility simulate": ("cellos facility simulate --week examples/week.yaml",
                          "cellos facility simulate --week examples/week.yaml --first-come --report week-report"),
    "facility plan": ("cellos facility plan examples/facility.yaml",
                      "cellos facility plan examples/facility.yaml --what-if 'liquid handler=2'",
                      "cellos facility plan examples/facility.yaml --what-if 'people=3, people.closes=20'",
                      "cellos facility plan examples/facility.yaml --one-more"),
    "images measure": ("cellos images measure plate-7 --out wells.csv",
                       "cellos images measure plate-7 --pattern '{well}_s{site}_{channel}.tif' --sites sites.csv"),
    "images practise": ("cellos images practise practice", "cellos images practise dense --cells 400"),
    "images agree": ("cellos images agree practice --figure agreement.png",),
    "hardware list": ("cellos hardware list",),
    "hardware check": ("cellos hardware check", "cellos hardware check machines/bench-1.yaml"),
    "hardware describe": ("cellos hardware describe biology",),
    "hardware new": ("cellos hardware new bench > machines/bench-1.yaml",),
    "hardware simulate-robot": ("cellos hardware simulate-robot robot.yaml",),
    "hardware install": ("cellos hardware install opentrons",),
    "hardware prove": ("cellos hardware prove workflow.json --robot robot.yaml",),
    "hardware robot show": ("cellos hardware robot show robot.yaml",),
    "hardware robot pause": ("cellos hardware robot pause robot.yaml",),
    "hardware robot resume": ("cellos hardware robot resume robot.yaml",),
    "hardware robot stop": ("cellos hardware robot stop robot.yaml",),
}  # fmt: skip
"""By the command without `cellos`. A new command needs a line here; a test names those that have none."""


def show_examples(app: typer.Typer, name: str = "") -> None:
    """Puts the examples at the end of the help of every command of an app, those of its groups too."""
    for command in app.registered_commands:
        own = command.name or (command.callback.__name__.replace("_", "-") if command.callback else "")
        command.epilog = _epilog(f"{name} {own}".strip())
    for group in app.registered_groups:
        if group.typer_instance is not None:
            group.epilog = _epilog(f"{name} {group.name}".strip())
            show_examples(group.typer_instance, f"{name} {group.name}".strip())


def _epilog(name: str) -> str | None:
    r"""Preformatted, as `\\b` says to the formatter."""
    if name not in EXAMPLES:
        return None
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in EXAMPLES[name])])
