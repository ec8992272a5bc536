"""How each documented command is tested: what is typed for it, or which test types it."""

from __future__ import annotations

from typing import NamedTuple


class Typed(NamedTuple):
    """A documented command that is run as it stands, with names and files of the checkout in it.

    Attributes:
        documented: as on the page, without comments.
        runs: commands that are instances of it; ``{names}`` are the checkout's.
        shows: pattern in what each prints.
        small: put behind it: its input, or what makes a benchmark take seconds; it measures nothing then.
        needs: what must be there: docker, vllm, embeddings, real_data.
    """

    documented: str
    runs: tuple[str, ...]
    shows: str = ""
    small: str = ""
    needs: str = ""


# Words of the pages that stand for one's own place, file or name.
SUBSTITUTED = {
    "http://host:8000/v1": "the teacher's address",
    "TEACHER_MODEL=name": "the model's name",
    "http://host:4200/api": "the server's address",
    "http://127.0.0.1:4200/api": "the same",
    "/run/user/1001/docker.sock": "an engine's socket",
    "student.responses=FILE": "a file",
    "recipe=recipes/demo.yaml": "a recipe",
    "dataset=data/am.jsonl.zst": "a dataset",
}

BUILD = "python -m flows.build_dataset {recipe}"
BUILD_OTHER = "python -m flows.build_dataset {recipe} --set select.prefer=shortest --set run.workers=3 --out runs/other"

BUILD_AGAIN = "python -m flows.build_dataset {recipe} --set export.shuffle_seed=7 --out runs/other"
PUBLISHED = "dataset"  # where a row's life ends that is published


TYPED = (
    Typed("make setup", ("make setup",)),
    Typed("make docs", ("make docs",)),
    Typed("make env", ("make env",), shows=r"\.env"),
    Typed(
        "SANDBOX_SOCKET=/run/user/1001/docker.sock make env",
        ("SANDBOX_SOCKET={place}/engine.sock make env",),
        shows=r"\.env",
    ),
    Typed(
        "TEACHER_URL=http://host:8000/v1 TEACHER_MODEL=name make demo",
        ("TEACHER_URL={teacher} TEACHER_MODEL=demo make demo",),
        shows=r"source rows +427(?s:.*)published +\d+",
    ),
    Typed(
        "python -m tracemill init FILE [FILE]… [--out RECIPE]",
        ("python -m tracemill init rows.jsonl demo/sources/drill.csv --out own.yaml",),
        shows=r"layout plain(?s:.*)wrote own\.yaml",
    ),
    Typed(
        "python -m tracemill init FILE [FILE]… [--out RECIPE] [--force] [--model NAME] [--json]",
        ("python -m tracemill init rows.jsonl --out own2.yaml --force --model name --json",),
        shows='"layout": "plain"',
    ),
    Typed(
        "python -m tracemill init FILE",
        ("python -m tracemill init rows.jsonl && rm recipe.yaml",),
        shows=r"wrote recipe\.yaml",
    ),
    Typed(
        "python -m flows.build_dataset RECIPE [--set section.key=value]… [--out DIR]",
        (BUILD, BUILD_OTHER, BUILD_AGAIN),
        shows=r"published +\d+(?s:.*)one row +python -m tracemill why ID --run runs/",
    ),
    Typed(
        "python -m flows.refresh_dataset RECIPE [--set …]… [--out DIR]",
        (
            "python -m flows.refresh_dataset {recipe}",
            "python -m flows.refresh_dataset {recipe} --set run.workers=3 --out {run}",
        ),
        shows="nothing new",
    ),
    Typed(
        "python -m flows.check_references RECIPE [--set …]… [--out DIR]",
        (
            "python -m flows.check_references {recipe}",
            "python -m flows.check_references {recipe} --set verify.wall_s=9 --out runs/checked",
        ),
        shows=r"good(?s:.*)references",
    ),
    Typed(
        "python -m flows.check_references RECIPE [--set section.key=value]… [--out DIR]",
        ("python -m flows.check_references {recipe} --set verify.wall_s=9 --out runs/checked",),
        shows="good",
    ),
    Typed("python -m flows.check_references RECIPE", ("python -m flows.check_references {recipe}",), shows="good"),
    Typed(
        "python -m flows.verify_dataset INPUT [--out DIR] [--limit N]",
        (
            "python -m flows.verify_dataset {audited}",
            "python -m flows.verify_dataset {audited} --out runs/audited --limit 3",
        ),
        shows=r"alpha(?s:.*)100\.0 %",
    ),
    Typed(
        "python -m flows.verify_dataset INPUT [--out DIR] [--limit N] [--store DIR] "
        "[--layout NAME] [--column FIELD=NAME]… [--set section.key=value]…",
        (
            (
                "python -m flows.verify_dataset {audited} --out runs/again --limit 2 --store stored --layout am "
                "--set verify.workers=1"
            ),
            "python -m flows.verify_dataset rows.jsonl --layout plain --column response=response",
        ),
        shows=r"all +[12]",
    ),
    Typed(
        "python -m flows.evaluate_student RECIPE [--set section.key=value]… [--out DIR]",
        ("python -m flows.evaluate_student {evaluation} --set student.temperature=0.5 --out runs/eval-b",),
        shows=r"sums +12 +2 +\d",
    ),
    Typed(
        "python -m flows.evaluate_student RECIPE [--set …]… [--out DIR]",
        ("python -m flows.evaluate_student {evaluation} --set student.temperature=0.5 --out runs/eval-b",),
        shows=r"sums +12 +2 +\d",
    ),
    Typed(
        "python -m flows.evaluate_student recipes/evaluate-demo.yaml --set student.responses=FILE",
        ("python -m flows.evaluate_student recipes/evaluate-demo.yaml --set student.responses=responses.jsonl",),
        shows=r"stories +172 +4 +50\.0 % ± 0\.0",
    ),
    Typed(
        "python -m flows.verify_dataset demo/sources/traced.jsonl.zst",
        ("python -m flows.verify_dataset demo/sources/traced.jsonl.zst",),
        shows=r"all +84 +44 +30 +8 +2 +59\.5 %",
    ),
    Typed(
        "python -m verifiers [--sandbox docker] < rows.jsonl > verdicts.jsonl",
        ("python -m verifiers < rows.jsonl > verdicts.jsonl && cat verdicts.jsonl",),
        shows='"outcome": ?"correct"',
    ),
    Typed("python -m verifiers", ("python -m verifiers",), shows='"outcome": ?"correct"', small="< rows.jsonl"),
    Typed(
        "python -m verifiers --sandbox docker < rows.jsonl",
        ("python -m verifiers --sandbox docker < rows.jsonl",),
        shows='"outcome": ?"correct"',
        needs="docker",
    ),
    Typed(
        "python -m tracemill why ID [--run DIR]",
        ("python -m tracemill why {id}", "python -m tracemill why {id} --run {run}"),
        shows=PUBLISHED,
    ),
    Typed(
        "python -m tracemill why ID [--run DIR] [--ledger DIR] [--json]",
        ("python -m tracemill why {id} --run {run} --ledger .tracemill/store/ledger --json",),
        shows=PUBLISHED,
    ),
    Typed(
        "python -m tracemill versions [DIR]",
        ("python -m tracemill versions", "python -m tracemill versions {other}"),
        shows=r"\b1\b",
    ),
    Typed("python -m tracemill diff DIR@1 DIR@2", ("python -m tracemill diff {other}@1 {other}@2",), shows="removed"),
    Typed("python -m tracemill why ID", ("python -m tracemill why {id}",), shows=PUBLISHED),
    Typed(
        "python -m tracemill report [DIR]",
        ("python -m tracemill report", "python -m tracemill report {run}"),
        shows="published",
    ),
    Typed("python -m tracemill report DIR --json", ("python -m tracemill report {run} --json",), shows="funnel"),
    Typed("python -m tracemill report DIR --html", ("python -m tracemill report {run} --html",), shows="report.html"),
    Typed("python -m tracemill diff A B", ("python -m tracemill diff {run} {other}",), shows="removed"),
    Typed(
        "python -m tracemill diff A B [--examples N] [--json]",
        ("python -m tracemill diff {run} {other}", "python -m tracemill diff {run} {other} --examples 1 --json"),
        shows="removed",
    ),
    Typed(
        "python -m tracemill push DIR --repo ORG/NAME",
        ("python -m tracemill push {run} --repo org/name",),
        shows="nothing was sent",
    ),
    Typed("python -m tracemill sft DIR", ("python -m tracemill sft {other}",), shows="as messages, traces: published"),
    Typed(
        "python -m tracemill sft DIR [--as SHAPE] [--system NAME] [--traces QUERY] [--max-tokens N] "
        "[--tokenizer FILE] [--out FOLDER]",
        (
            (
                "python -m tracemill sft {run} --as prompt-completion --system am --traces published --max-tokens 4000 "
                "--tokenizer demo/teacher/model/tokenizer.json --out sft"
            ),
        ),
        shows=r"left out +0 rows",
    ),
    Typed(
        "python -m tracemill sft DIR [--as SHAPE] [--traces QUERY] [--json]",
        ("python -m tracemill sft {run} --as thinking --traces published --json",),
        shows='"shape": "thinking"',
    ),
    Typed("python -m tracemill sft DIR --as verl", ("python -m tracemill sft {run} --as verl",), shows="as verl"),
    Typed(
        "python -m tracemill sources [WORD]",
        ("python -m tracemill sources", "python -m tracemill sources openr1"),
        shows="openr1-math-default",
    ),
    Typed("python -m tracemill sources WORD", ("python -m tracemill sources openr1",), shows="openr1-math-default"),
    Typed(
        "python -m tracemill ledger stats|export|compact [DIR]",
        (
            "python -m tracemill ledger stats",
            "python -m tracemill ledger export .tracemill/store/ledger",
            "python -m tracemill ledger compact .tracemill/store/ledger",
        ),
        shows=r"demo|segments",
    ),
    Typed("python -m tracemill ledger stats [DIR]", ("python -m tracemill ledger stats",), shows="demo"),
    Typed(
        "python -m tracemill pin RECIPE [--dry-run] [--update]",
        ("python -m tracemill pin {recipe}", "python -m tracemill pin {recipe} --dry-run --update"),
    ),
    Typed("python -m tracemill pin RECIPE", ("python -m tracemill pin {recipe}",)),
    Typed(
        "python -m tracemill doctor [RECIPE]",
        ("python -m tracemill doctor", "python -m tracemill doctor {recipe}"),
        shows="sandbox",
    ),
    Typed(
        "python -m tracemill doctor [RECIPE] [--json]",
        ("python -m tracemill doctor {recipe} --json",),
        shows=r"remedy",
    ),
    Typed(
        "python -m tracemill sources [WORD] [--json]",
        ("python -m tracemill sources openr1 --json",),
        shows=r"evidence",
    ),
    Typed(
        "python -m tracemill pin RECIPE [--dry-run] [--update] [--json]",
        ("python -m tracemill pin {recipe} --dry-run --update --json",),
        shows=r"pins",
    ),
    Typed(
        "python -m tracemill report [DIR] [--html] [--json]",
        (
            "python -m tracemill report {run} --json",
            "python -m tracemill report {run} --html --json",
        ),
        shows=r"funnel|page",
    ),
    Typed(
        "python -m tracemill versions [DIR] [--json]",
        ("python -m tracemill versions {other} --json",),
        shows=r"stands",
    ),
    Typed(
        "python -m tracemill push DIR --repo ORG/NAME [--json]",
        ("python -m tracemill push {run} --repo org/name --json",),
        shows=r"non_commercial",
    ),
    Typed(
        "python -m tracemill ledger stats|compact [DIR] [--json]",
        (
            "python -m tracemill ledger stats --json",
            "python -m tracemill ledger compact .tracemill/store/ledger --json",
        ),
        shows=r"demo|n_before",
    ),
    Typed(
        "python -m tracemill ledger export [DIR] [--out FILE]",
        ("python -m tracemill ledger export .tracemill/store/ledger --out exported.jsonl && head -1 exported.jsonl",),
        shows=r"demo",
    ),
    Typed("python -m tracemill serve RECIPE", ("python -m tracemill serve {recipe}",), r"--port \d", small="--dry-run"),
    Typed(
        "python -m tracemill serve RECIPE [--dry-run]",
        ("python -m tracemill serve {recipe} --dry-run",),
        shows="--served-model-name demo",
    ),
    Typed(
        "python -m tracemill serve RECIPE [--set section.key=value]… [--gpus LIST] [--tensor-parallel N] "
        "[--only SECTION]… [--teachers N] [--host ADDRESS] [--weights MODEL=PLACE]… [--vllm-python FILE] "
        "[--vllm OPTION]… [--logs DIR] [--urls FILE] [--start-s S] [--dry-run]",
        (
            (
                "python -m tracemill serve {recipe} --set distill.teacher.base_urls=[http://127.0.0.1:8000/v1] "
                "--gpus 0,1,2,3 --tensor-parallel 2 --only distill.teacher --teachers 1 --host 0.0.0.0 "
                "--weights demo=weights --vllm-python python --vllm enforce-eager --logs logs "
                "--urls urls.json --start-s 60 --dry-run"
            ),
        ),
        shows=r"CUDA_VISIBLE_DEVICES=0,1 python .*--model weights .*--tensor-parallel-size 2 --enforce-eager",
    ),
    Typed(
        "python -m tracemill serve recipes/demo.yaml --teachers 2 --weights demo-teacher=demo/teacher/model "
        "--vllm max-model-len=2048 --vllm enforce-eager",
        (
            (
                "python -m tracemill serve recipes/demo.yaml --teachers 2 --weights demo-teacher=demo/teacher/model "
                "--vllm max-model-len=2048 --vllm enforce-eager"
            ),
        ),
        shows="--port 8001",
        small="--dry-run",
    ),
    Typed("python -m tracemill doctor", ("python -m tracemill doctor",), shows="sandbox"),
    Typed("python -m tracemill doctor RECIPE", ("python -m tracemill doctor {recipe}",), shows="decontamination"),
    Typed(
        "python -m demo.make_sources", ("python -m demo.make_sources",), shows="sources/drill.csv", small="--out made"
    ),
)

QUICK_START = (
    "python -m tracemill init questions.jsonl",
    "python -m tracemill init questions.jsonl --model NAME --force",
    "python -m flows.check_references recipe.yaml",
    "python -m flows.build_dataset recipe.yaml --preview 3",
    "python -m flows.build_dataset recipe.yaml",
    "TEACHER_URL=http://host:8000/v1 python -m flows.build_dataset recipe.yaml",
    "python -m tracemill report",
    (
        'python -c "import pyarrow.parquet as pq; '
        "print(pq.read_table('runs/questions/dropped', columns=['id', 'reason']).to_pylist())\""
    ),
)

# Documented command -> the test that types it.
ELSEWHERE = {
    "python -m flows.compare_students RECIPE [--set section.key=value]… [--out DIR]": (
        "test_compare_students.py::test_the_command"
    ),
    "python -m benchmarks.engine.task_runners --dask ADDRESS --ray ADDRESS": (
        "test_scale_out.py::test_the_benchmark_compares_clusters_with_threads"
    ),
    **dict.fromkeys(QUICK_START, "test_quick_start.py::test_three_questions_become_a_dataset"),
    "python -m tracemill completion bash|zsh": "test_completion.py::test_zsh_completes",
    **dict.fromkeys(
        (
            "python -m flows.build_dataset RECIPE --preview N",
            "python -m flows.build_dataset RECIPE --preview N [--set section.key=value]…",
            "python -m flows.build_dataset RECIPE --preview 10",
        ),
        "test_preview.py::test_a_preview_and_then_the_run",
    ),
    "python -m tracemill browse .tracemill/preview/NAME/run": "test_row_browser.py::test_in_a_browser",
    **dict.fromkeys(
        (
            "python -m tracemill browse",
            "python -m tracemill browse [DIR]",
            "python -m tracemill browse [DIR] [--port N] [--ledger DIR]",
        ),
        "test_row_browser.py::test_in_a_browser",
    ),
    "python -m demo.teacher.serve --port 8000": ("test_quick_start.py::test_three_questions_become_a_dataset"),
    'python -m flows.build_dataset RECIPE --set "$(cat .tracemill/servers/JOB/base_urls)"': (
        "test_slurm.py::test_the_urls_of_all_nodes_are_one_line_for_the_run"
    ),
    "make demo": "test_documented_commands.py::test_the_demo",
    "make evaluate": "test_documented_commands.py::test_the_evaluation_of_the_demo",
    "STUDENT_URL=http://host:8000/v1 STUDENT_MODEL=name make evaluate": (
        "test_documented_commands.py::test_the_evaluation_of_the_demo"
    ),
    "make ui": "test_documented_commands.py::test_a_server_the_deployments_and_a_worker",
    "make deploy": "test_documented_commands.py::test_a_server_the_deployments_and_a_worker",
    "make deploy NOTIFY=slack-webhook/team": (
        "test_notifications.py::test_people_are_called_by_the_block_that_deploy_is_given"
    ),
    "make worker": "test_documented_commands.py::test_a_server_the_deployments_and_a_worker",
    "PREFECT_API_URL=http://host:4200/api make deploy": (
        "test_documented_commands.py::test_a_server_the_deployments_and_a_worker"
    ),
    ".venv/bin/prefect deployment run build-dataset/build-dataset --param recipe=recipes/demo.yaml": (
        "test_documented_commands.py::test_a_server_the_deployments_and_a_worker"
    ),
    ".venv/bin/prefect deployment run verify-dataset/verify-dataset --param dataset=data/am.jsonl.zst "
    "--param limit=1000": ("test_documented_commands.py::test_a_server_the_deployments_and_a_worker"),
    "make deploy POOL=docker": "test_pool_files.py::test_every_deployment_can_be_on_every_pool",
    "make deploy POOL=kubernetes": "test_pool_files.py::test_every_deployment_can_be_on_every_pool",
    "make worker POOL=docker": "test_docker_pool.py::test_killed_and_cancelled_containers",
    "docker build -f deployments/worker.Dockerfile -t tracemill .": (
        "test_docker_pool.py::test_killed_and_cancelled_containers"
    ),
    "docker compose up --detach": "test_compose.py::test_a_run_is_published",
    "python -m flows.verify_dataset a-m-team/AM-DeepSeek-R1-Distilled-1.4M --config am_0.5M "
    "--revision 53531c06634904118a2dcd83961918c4d69d1cdf --limit 10000": (
        "test_verify_dataset.py::test_a_hub_dataset_is_streamed_as_far_as_the_limit"
    ),
    "python -m tasks.reproduce STAGE KEY [--store DIR]": (
        "test_failed_tasks.py::test_a_failed_shard_says_where_why_and_how_to_run_it_alone"
    ),
    "python -m tasks.reproduce STAGE KEY --store DIR": (
        "test_failed_tasks.py::test_a_failed_shard_says_where_why_and_how_to_run_it_alone"
    ),
    ".venv/bin/python -m distributed.cli.dask_scheduler --host 10.0.0.1 --port 8786": (
        "test_scale_out.py::test_dask_makes_the_same_bytes_though_workers_die"
    ),
    ".venv/bin/python -m distributed.cli.dask_worker tcp://10.0.0.1:8786 --nworkers 4 --nthreads 4": (
        "test_scale_out.py::test_dask_makes_the_same_bytes_though_workers_die"
    ),
    "RAY_USAGE_STATS_ENABLED=0 .venv/bin/ray start --head --port=6379 --num-cpus=0": (
        "test_scale_out.py::test_ray_makes_the_same_bytes"
    ),
    "python -m tracemill push DIR --repo ORG/NAME [--really]": (
        "test_push.py::test_the_hub_gets_the_files_in_one_commit"
    ),
    "python -m tracemill push DIR --repo ORG/NAME --really": (
        "test_push.py::test_the_hub_gets_the_files_in_one_commit"
    ),
}

# What no test types, and why.
UNTESTED = {
    "make student": "trains 17 students; test_student.py has its traces, test_compare_students.py the comparison",
    "pip install -e deployments/rewards": "into a trainer's environment, which is not here",
    "RAY_USAGE_STATS_ENABLED=0 .venv/bin/ray start --address=10.0.0.1:6379": "it joins a second machine to a cluster",
    "DOCKER_HOST=unix:///run/user/1001/docker.sock make sandbox-image": "as make sandbox-image, on a second engine",
    "docker compose --profile cpu up --detach": "builds vLLM's image; test_compose.py has the stack with a chat server",
    "DOCKER_HOST=tcp://… make sandbox-image": "the same",
    "docker run --rm --volume tracemill-runs:/runs tracemill tar -c -C /runs demo | tar -x": "a volume, by hand",
    "kubectl apply -f deployments/kubernetes/worker.yaml": "no cluster; test_pool_files.py checks the file",
    "make screenshots": "test_browser.py drives the same pages; this makes pictures of them, to be looked at",
    "docker compose build --pull": "test_compose.py builds, and does not pull",
    "docker compose down": "test_compose.py ends with down --volumes",
    "docker compose stop prefect-server worker": "a restore, step by step by hand",
    "docker compose exec -T postgres psql -U tracemill prefect < prefect.sql": "the same",
    "docker compose exec -T postgres pg_dump -U tracemill prefect > prefect.sql": "the backup for it",
    "docker compose cp worker:/app/runs/demo .": "test_compose.py copies with docker cp",
}

# What continuous integration types before or around the tests: words of `.ci/run`.
IN_CI = {
    "make check": "make test",  # its first part
    "make test": "make test",
    "make test-all": "make test TEST_MARKS=",  # what it is short for
    "make teacher": "make teacher",
    "make embeddings": "make embeddings scale-out work-pools",
    "make scale-out": "make embeddings scale-out work-pools",
    "make work-pools": "make embeddings scale-out work-pools",
    "make sandbox-image": "make sandbox-image",
    "make sandbox-image [BASE=debian:bookworm-slim]": "make sandbox-image BASE=",
}
