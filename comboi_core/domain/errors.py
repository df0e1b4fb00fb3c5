"""The one tree of errors.

An error carries what people and machines need: a stable `code`, a `message` that names the place, a `remedy` that says
what to do, whether it is `transient`, and its context as fields. Retries follow from `transient` and from nothing else.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict


class ErrorRecord(TypedDict):
    """An error as data: what activities return, run records keep and pages show."""

    code: str
    message: str
    remedy: str
    transient: bool


class ComboiError(Exception):
    """Base of every error that comboi raises on purpose.

    Args:
        message: What went wrong and where, in a sentence a data engineer understands. Never holds a secret.
        remedy: What to do about it; the class has a default.
        context: Further fields, kept on the exception for tests and logs.
    """

    code = "error"
    remedy = "Read the message; if it does not help, run again with COMBOI_LOG=debug and report it."
    transient = False

    def __init__(self, message: str, *, remedy: str | None = None, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        if remedy is not None:
            self.remedy = remedy
        self.context = context

    def record(self) -> ErrorRecord:
        """Return the error as data."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "transient": self.transient}


# Errors that the configuration's author can correct.


class ConfigError(ComboiError):
    """The configuration cannot be used; the message lists every problem with file and line."""

    code = "config_invalid"
    remedy = "Correct the places named in the message, then run `comboi validate`."


class ExtraMissing(ConfigError):
    """The project uses a part of comboi that is installed on request only, and it is not installed."""

    code = "extra_missing"
    remedy = "Install the extra that the message names, or all of them: `pip install 'comboi[all]'`."


class ConfigChanged(ComboiError):
    """The configuration differs from the one that the run was planned with."""

    code = "config_changed"
    remedy = "Start a new run: it uses the changed configuration."


class ReferenceMissing(ComboiError):
    """`{{env:NAME}}` or `{{keyvault:NAME}}` has no value."""

    code = "reference_missing"
    remedy = "Set the environment variable or create the secret that the message names."


class VaultUnavailable(ComboiError):
    """The vault that holds a secret does not answer at the moment."""

    code = "vault_unavailable"
    remedy = "Check vault_url and that the network reaches it."
    transient = True


class CycleError(ComboiError):
    """Datasets depend on each other in a circle."""

    code = "dataset_cycle"
    remedy = "Remove one of the inputs named in the message."


class SelectionEmpty(ComboiError):
    """`select` or `stage` matches nothing in the configuration."""

    code = "selection_empty"
    remedy = "Select names of tables or datasets that the configuration has."


# Errors of the source.


class SourceUnreachable(ComboiError):
    """The database does not answer, or the connection broke."""

    code = "source_unreachable"
    remedy = "Check that the server runs and that host, port and firewall let this machine through."
    transient = True


class SourceAuthFailed(ComboiError):
    """The database refuses the login."""

    code = "source_auth_failed"
    remedy = "Check user and password (or the secret they come from) and the role's right to connect."


class SourceObjectMissing(ComboiError):
    """A table or column that the configuration names is not in the source."""

    code = "source_object_missing"
    remedy = "Correct the name in the configuration, or grant the role the right to read it."


class SourceQueryFailed(ComboiError):
    """The source rejected the query that comboi (or the configuration's `query:`) sent."""

    code = "source_query_failed"
    remedy = "Run the query by hand with the same role; correct `query:` or the table's rights."


class UnsupportedValue(ComboiError):
    """A value or type cannot be landed without loss."""

    code = "unsupported_value"
    remedy = "Cast the column in `query:`, or leave it out with `columns:`."


class SourceChanged(ComboiError):
    """What was read is not what the load was planned for: a table was rewritten, emptied or replaced meanwhile.

    Nothing of it is committed; the run plans the load again, as often as its `retry:` says.
    """

    code = "source_changed"
    remedy = (
        "Run again: the next run plans with the source as it is now. If it fails again, run when nobody rewrites "
        "the table, or raise `attempts` under `retry:`."
    )


class SourceFiltered(ComboiError):
    """The source would hide rows of a table from the role, by row-level security."""

    code = "source_filtered"
    remedy = (
        "Let the role see every row (ALTER ROLE ... BYPASSRLS), or set `row_security: apply` in the source's "
        "connection to land what the policies let it see."
    )


class SourceFileChanged(ComboiError):
    """A file is not what it was when it was landed, or when the load was planned."""

    code = "source_file_changed"
    remedy = "Run again: the next run plans with the files as they are now."


class SourceRewound(ComboiError):
    """The source is at an earlier point of its history than the committed watermark."""

    code = "source_rewound"
    remedy = "Run the table with --full-refresh: new rows cannot be distinguished from rows that were landed before."


class SchemaDrift(ComboiError):
    """The source's columns changed in a way that the table's `schema_policy` does not allow."""

    code = "schema_drift"
    remedy = "Accept the change (`schema_policy: evolve`), or run the table with --full-refresh."


# Errors of the lake.


class LakeUnavailable(ComboiError):
    """The lake cannot be read or written at the moment."""

    code = "lake_unavailable"
    remedy = "Check the account, the credential and the network; for a local lake, rights and free space."
    transient = True


class LakeRefused(ComboiError):
    """The storage account refuses: the credential, the identity's rights, or a container that is not there."""

    code = "lake_refused"
    remedy = "Check the lake's account, container and credential in the configuration."


class LakeNotFound(ComboiError):
    """A file that has to be there is not."""

    code = "lake_not_found"
    remedy = "Run the stage that makes the file first; if it has run, find out what deleted the file."


class ManifestUnreadable(ComboiError):
    """A load's manifest is not one, or was written by a newer comboi."""

    code = "manifest_unreadable"
    remedy = "Use the comboi version that wrote it, or reset the table and run it with --full-refresh."


# Errors of a run.


class RunRefused(ComboiError):
    """Another run of the pipeline holds the lease."""

    code = "run_in_progress"
    remedy = "Wait until it has finished; `comboi status` shows how far it is."


class LeaseLost(ComboiError):
    """A newer run took over; this one must not commit any more."""

    code = "lease_lost"
    remedy = "Nothing to do: the newer run carries on from the last committed load."


class CheckpointLost(ComboiError):
    """The lake holds later loads than the task hub knows of."""

    code = "checkpoint_lost"
    remedy = "Restore the checkpoints from the lake with `comboi checkpoints rebuild`, then run again."


class LoadLost(ComboiError):
    """The task hub knows of a load that the lake does not have."""

    code = "load_lost"
    remedy = "Read the sources again with `comboi run --full-refresh`."


class DatasetLost(ComboiError):
    """A published dataset is not in its lake any more, and the next build would be a part of it."""

    code = "dataset_lost"
    remedy = "Restore it from a backup, or rebuild all of its intervals in one run with --from and --to."


class OriginChanged(ComboiError):
    """A table would be made from something else than what its landed rows are of."""

    code = "origin_changed"
    remedy = "Read the whole table with --full-refresh, or accept the change with `on_change: warn`."


class NotOwner(ComboiError):
    """A table or a dataset in the lake belongs to another pipeline."""

    code = "not_owner"
    remedy = "Give one of the two another name, or this pipeline a lake of its own."


class TableNotFound(ComboiError):
    """The configuration has no such table."""

    code = "table_not_found"
    remedy = "List the tables with `comboi checkpoints list` or GET /api/tables."


class BackfillImpossible(ComboiError):
    """A range of this table cannot be read again."""

    code = "backfill_impossible"
    remedy = "Use --full-refresh to read the whole table."


class CommitConflict(ComboiError):
    """The checkpoint moved while the load was under way."""

    code = "commit_conflict"
    remedy = "Run again: the next run starts from the checkpoint as it is now."


class RunEndedUnfinished(ComboiError):
    """A run is not on any more and has no record: its orchestration was terminated, purged, or failed by the host."""

    code = "run_ended_unfinished"
    remedy = "Start a new run: it carries on from the last committed loads."


class RunNotFound(ComboiError):
    """No run has this id."""

    code = "run_not_found"
    remedy = "List the runs with `comboi runs` or GET /api/runs."


class RequestInvalid(ComboiError):
    """An HTTP request or a command's arguments cannot be understood."""

    code = "request_invalid"
    remedy = "Correct what the message names."


# Errors of the project's scripts.


class ScriptError(ComboiError):
    """A transformation or check script is missing, misshapen or raised; the message names file and line."""

    code = "script_failed"
    remedy = "Correct the script at the place that the message names."


class CheckFailed(ComboiError):
    """A check with severity `error` failed; nothing of the dataset was published."""

    code = "check_failed"
    remedy = "Look at the failing rows in the run record; correct the data, the transformation or the check."


class MaterializationRefused(ComboiError):
    """A build's result cannot become the dataset as its materialization says; nothing of it was published."""

    code = "materialization_refused"
    remedy = "Correct the transformation or the dataset's `materialization:` as the message says."


class ScriptChanged(ComboiError):
    """What makes a dataset has changed, and its published rows are of the former script or settings."""

    code = "script_changed"
    remedy = "Rebuild the dataset with --full-refresh, or accept its rows with `on_change: warn`."


class DedupeError(ComboiError):
    """Splink cannot work with these settings or this data."""

    code = "dedupe_failed"
    remedy = "Correct the dataset's `splink:` settings as the message says."


class ActivityLost(ComboiError):
    """An activity ended without a result: the host stopped it, or its process died."""

    code = "activity_lost"
    remedy = "If it repeats, lower chunk_rows or memory_limit, or raise the function's time limit."
    transient = True


class HostFailed(ComboiError):
    """The Functions host restarted, or lost its Python worker, again and again while a run was on."""

    code = "host_failed"
    remedy = (
        "Nothing is lost: the next run goes on from the last committed loads. If it repeats, look for restarts in the "
        "Functions app's log: a deployment, an app setting that changed, or memory that ran out."
    )


class InternalError(ComboiError):
    """Something that comboi did not foresee."""

    code = "internal_error"
