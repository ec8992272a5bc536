"""Sends a finished run's ``dataset/`` to the Hub, after a look at what would be sent and whether it may be."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import CorruptShardError, StoreError
from tracemill.publish.card import Beside, licence, with_beside
from tracemill.publish.tally import LicensedRows
from tracemill.runs.report import finished_run
from tracemill.runs.rows import batches, parquet_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_FOLDER: Final = "dataset/"
# Folders of a run that are configurations on the Hub, where the recipe publishes them.
_BESIDE: Final = ("preferences", "rejected")
# What the Hub's viewer shows of a row: https://huggingface.co/docs/hub/datasets-upload-guide-llm
LARGE_ROW_BYTES: Final = 2_000_000
_CARD: Final = "README.md"
_CHUNK: Final = 1 << 20
_MAIN: Final = "main"


@dataclass(frozen=True)
class Shipment:
    """What would be sent.

    Attributes:
        run: the run's directory.
        repo: ``ORG/NAME`` on the Hub.
        files: size in bytes by name, as they will be called there.
        rows: of the dataset.
        licence: as the card and the rows say.
        n_non_commercial: rows for non-commercial use only.
        key: of the publication, for the commit's message.
        n_large_rows: above the 2 MB that the Hub's viewer takes.
    """

    run: Path
    repo: str
    files: dict[str, int]
    rows: int
    licence: str
    n_non_commercial: int
    key: str
    n_large_rows: int = 0


def shipment(run: Path, repo: str) -> Shipment:
    """Return what of a run would be sent to ``repo``.

    Raises:
        StoreError: the run is not finished or no dataset; or its card states another licence than its rows.
        CorruptShardError: a file is not the one that was published.
    """
    manifest = finished_run(run)
    if "funnel" not in manifest:
        raise StoreError(f"{run} is no dataset that was built", expected="a run of build_dataset or refresh_dataset")
    sent = (_FOLDER, *(f"{name}/" for name in _beside(run)))
    entries = {name: entry for name, entry in manifest["files"].items() if name.startswith(sent)}
    for name, entry in entries.items():
        _check_bytes(run / name, entry["sha256"])
    rows = _licensed_rows(run)
    return Shipment(
        run=run,
        repo=repo,
        files={name.removeprefix(_FOLDER): entry["size"] for name, entry in entries.items()}
        | {_CARD: len(hub_card(run).encode())},
        rows=sum(each.rows for each in rows),
        licence=_agreed_licence(run / _FOLDER / _CARD, rows),
        n_non_commercial=sum(each.rows for each in rows if each.non_commercial),
        key=manifest["key"],
        n_large_rows=sum(_n_large(run / name) for name in (_FOLDER, *_beside(run))),
    )


def hub_card(run: Path) -> str:
    """Return the card as the Hub gets it: with a configuration for each folder that goes with the dataset."""
    beside = {}
    for name in _beside(run):
        rows = parquet_in(run / name)
        n_bytes = sum(table.nbytes for table in batches(run / name, rows.schema.names))
        n_file_bytes = sum(path.stat().st_size for path in (run / name).glob("*.parquet"))
        beside[name] = Beside(rows.schema, rows.count_rows(), n_bytes, n_file_bytes)
    return with_beside((run / _FOLDER / _CARD).read_text(encoding="utf-8"), beside)


def _beside(run: Path) -> list[str]:
    return [name for name in _BESIDE if (run / name).is_dir() and parquet_in(run / name).count_rows()]


def _n_large(folder: Path) -> int:
    """Return how many rows have more text than the Hub's viewer takes."""
    schema = parquet_in(folder).schema
    return sum(
        int((_text_bytes(table) > LARGE_ROW_BYTES).sum())
        for table in batches(folder, [field.name for field in schema if _is_text(field.type)])
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_list(kind))


def _text_bytes(table: pa.Table) -> NDArray[np.int64]:
    """Return the bytes of the texts of each row, those of turns among them."""
    found = np.zeros(len(table), np.int64)
    for column in table.combine_chunks().columns:
        if not pa.types.is_list(column.type):
            found += pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
            continue
        turns = pc.list_flatten(column)
        parents = pc.list_parent_indices(column).to_numpy()
        for field in column.type.value_type if pa.types.is_struct(column.type.value_type) else ():
            lengths = pc.fill_null(pc.binary_length(pc.struct_field(turns, field.name)), 0).to_numpy()
            found += np.bincount(parents, lengths, len(table)).astype(np.int64)
    return found


def _check_bytes(path: Path, sha256: str) -> None:
    found = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            found.update(chunk)
    if found.hexdigest() != sha256:
        raise CorruptShardError(
            f"{path} is not the file that was published",
            got=f"sha256 {found.hexdigest()}",
            expected=f"sha256 {sha256}",
            remedy="delete it and build again: the run's directory is written anew from the store",
        )


def _licensed_rows(run: Path) -> list[LicensedRows]:
    counts: Counter[tuple[str, str, bool]] = Counter()
    columns = ("source", "licence", "non_commercial")
    for table in batches(run / _FOLDER, columns):
        counts.update(zip(*(table[name].to_pylist() for name in columns), strict=True))
    return [
        LicensedRows(source=source, licence=name, non_commercial=flag, rows=n_rows)
        for (source, name, flag), n_rows in sorted(counts.items())
    ]


def _agreed_licence(card: Path, rows: list[LicensedRows]) -> str:
    """Return the licence of the card, if it is what the rows come to: nothing is published as freer than it is."""
    from huggingface_hub import DatasetCard

    stated = DatasetCard(card.read_text(encoding="utf-8")).data.to_dict()
    should = licence(rows)
    if any(stated.get(name) != value for name, value in should.items()):
        raise StoreError(
            f"the licence in {card} is not that of the rows; nothing was sent",
            got=f"{stated.get('license')} {stated.get('license_name', '')}".strip(),
            expected=" ".join(should.values()),
            remedy="build again, so that the card is written from the rows",
        )
    return " ".join(should.values())


def render(planned: Shipment) -> str:
    """Return what would be sent, for a terminal."""
    width = max(len(name) for name in planned.files)
    return "\n".join(
        [
            f"{planned.rows:,} rows to https://huggingface.co/datasets/{planned.repo}",
            f"licence {planned.licence}; {planned.n_non_commercial:,} rows are for non-commercial use only",
            *(
                [f"{planned.n_large_rows:,} rows are larger than 2 MB, which the Hub's viewer does not show whole"]
                if planned.n_large_rows
                else []
            ),
            *(f"  {name:<{width}}{size:>16,}" for name, size in planned.files.items()),
            f"  {'all':<{width}}{sum(planned.files.values()):>16,} bytes",
        ]
    )


def send(planned: Shipment, *, public: bool = False, branch: str = "main", token: str | None = None) -> str:
    """Send it in one commit, which also removes Parquet files of an earlier version. Returns the commit's address.

    The Hub is that of its own client, and so is who asks where no token is given: ``HF_ENDPOINT``, ``HF_TOKEN`` or
    ``hf auth login``.

    Args:
        planned: what was looked at.
        public: a repository that is made for it is public, not private; one that is there stays as it is.
        branch: where it goes; made from main if there is none.
        token: of who sends; else the Hub's client looks for it.

    Raises:
        StoreError: the Hub refused, or could not be reached; nothing of the commit is visible then.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api: Any = HfApi(token=token)
    try:
        api.create_repo(planned.repo, repo_type="dataset", private=not public, exist_ok=True)
        if branch != _MAIN:
            api.create_branch(planned.repo, branch=branch, repo_type="dataset", exist_ok=True)
        with staged(planned) as folder:
            commit = api.upload_folder(
                repo_id=planned.repo,
                repo_type="dataset",
                revision=branch,
                folder_path=folder,
                allow_patterns=list(planned.files),
                delete_patterns=["train-*.parquet", *(f"{name}/*.parquet" for name in _BESIDE)],
                commit_message=f"{planned.rows:,} rows, publication {planned.key[:12]}",
            )
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError, ValueError) as error:
        raise StoreError(
            f"could not send to {planned.repo}",
            got=f"{type(error).__name__}: {error}",
            remedy="log in with `hf auth login` or HF_TOKEN, and check the right to write there; then push again",
        ) from error
    return str(commit.commit_url)


@contextlib.contextmanager
def staged(planned: Shipment) -> Iterator[Path]:
    """Give a folder that looks as the repository will: links to the run's files, and the card."""
    with tempfile.TemporaryDirectory(prefix="tracemill-push-") as place:
        folder = Path(place)
        for name in planned.files:
            target = folder / name
            target.parent.mkdir(exist_ok=True)
            if name == _CARD:
                target.write_text(hub_card(planned.run), encoding="utf-8")
            else:
                beside = name.partition("/")[0] in _BESIDE
                target.symlink_to((planned.run / ("" if beside else _FOLDER) / name).resolve())
        yield folder
