"""The one tree of errors.

An error has a stable `code`, a `message` that names the place, a `remedy` that says what to do, a flag `transient`, and
further context as fields. Only `transient` decides about retries.
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
        message: What went wrong and where, in a sentence that a data engineer understands. It contains no secret.
        remedy: What to do about it. Each class has a default.
        context: Further fields, kept on the exception for tests and logs.
    """

    code = "error"
    remedy = "Read the message. If it does not help, run again with COMBOI_LOG=debug and report the output."
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
    remedy = "Correct the problems above, then run `comboi validate`."


class ExtraMissing(ConfigError):
    """The project needs an extra of comboi that is not installed."""

    code = "extra_missing"
    remedy = "Install the extra that the message names, or all extras: `pip install 'comboi[all]'`."


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
    remedy = "Check key_vault.vault_url, and that this machine can reach it."
    transient = True


class CycleError(ComboiError):
    """Datasets depend on each other in a circle."""

    code = "dataset_cycle"
    remedy = "Remove one of the inputs named in the message."


class SelectionEmpty(ComboiError):
    """`select` or `stage` matches nothing in the configuration."""

    code = "selection_empty"
    remedy = "Use names of tables or datasets in the configuration. `comboi lineage` lists them."


# Errors of the source.


class SourceUnreachable(ComboiError):
    """The database does not answer, or the connection broke."""

    code = "source_unreachable"
    remedy = (
        "Check that the server is running, that host and port are right, and that the firewall lets this "
        "machine through."
    )
    transient = True


class SourceAuthFailed(ComboiError):
    """The database refuses the login."""

    code = "source_auth_failed"
    remedy = "Check user and password (or the secret that they come from), and the role's right to connect."


class SourceObjectMissing(ComboiError):
    """A table or column that the configuration names is not in the source."""

    code = "source_object_missing"
    remedy = "Correct the name in the configuration, or give the role the right to read it."


class SourceQueryFailed(ComboiError):
    """The source rejected the query that comboi (or the configuration's `query:`) sent."""

    code = "source_query_failed"
    remedy = "Run the query yourself with the same role. Then correct `query:` or the role's rights."


class UnsupportedValue(ComboiError):
    """A value or type cannot be landed without loss."""

    code = "unsupported_value"
    remedy = "Cast the column in `query:`, or exclude it with `columns:`."


class SourceChanged(ComboiError):
    """The source changed during the load: a table was rewritten, emptied or replaced.

    Nothing is committed. The run plans the load again, as often as `retry:` allows.
    """

    code = "source_changed"
    remedy = (
        "Run again. If it fails again, run at a time when nobody rewrites the table, or increase `attempts` under "
        "`retry:`."
    )


class SourceFiltered(ComboiError):
    """The source would hide rows of a table from the role, by row-level security."""

    code = "source_filtered"
    remedy = (
        "Let the role see every row (ALTER ROLE ... BYPASSRLS). Or write `row_security: apply` into the source's "
        "connection:, to land only the rows that the role may see."
    )


class SourceFileChanged(ComboiError):
    """A file changed after it was landed, or after the load was planned."""

    code = "source_file_changed"
    remedy = "Run again. The next run reads the files as they are now."


class SourceRewound(ComboiError):
    """The source is at an earlier point of its history than the committed watermark."""

    code = "source_rewound"
    remedy = "Run the table with --full-refresh, because comboi cannot tell new rows from rows that were landed before."


class FeedLost(ComboiError):
    """Changes since the last load are lost: the slot was invalidated, dropped or read by something else."""

    code = "feed_lost"
    remedy = "Run the table with --full-refresh. With `on_lost_feed: reload` comboi does so by itself."


class FeedBusy(ComboiError):
    """Something else reads the change feed at this moment."""

    code = "feed_busy"
    remedy = "Give each pipeline a slot of its own (`changes: slot:`), and see that nothing else reads this one."
    transient = True


class SchemaDrift(ComboiError):
    """The source's columns changed in a way that the table's `schema_policy` does not allow."""

    code = "schema_drift"
    remedy = "Accept the change (`schema_policy: evolve`), or run the table with --full-refresh."


# Errors of the lake.


class LakeUnavailable(ComboiError):
    """The lake cannot be read or written at the moment."""

    code = "lake_unavailable"
    remedy = "Check the account, the credential and the network. For a local lake, check access rights and free space."
    transient = True


class LakeRefused(ComboiError):
    """The storage account refused access: wrong credential, missing rights, or a missing container."""

    code = "lake_refused"
    remedy = "Check account, container and credential of the lake in the configuration, and the identity's rights."


class LakeNotFound(ComboiError):
    """A required file is missing."""

    code = "lake_not_found"
    remedy = "First run the stage that writes the file. If it has run already, find out what deleted the file."


class ManifestUnreadable(ComboiError):
    """A load's manifest cannot be read, or a newer comboi wrote it."""

    code = "manifest_unreadable"
    remedy = "Use the comboi version that wrote it, or reset the table and run it with --full-refresh."


# Errors of a run.


class RunRefused(ComboiError):
    """Another run of the pipeline holds the lease."""

    code = "run_in_progress"
    remedy = "Wait until it has finished. `comboi status` shows its progress."


class LeaseLost(ComboiError):
    """A newer run took over, so this run must not commit any more."""

    code = "lease_lost"
    remedy = "Do nothing: the newer run continues from the last committed load."


class CheckpointLost(ComboiError):
    """The lake has later loads than the task hub knows."""

    code = "checkpoint_lost"
    remedy = "Restore the checkpoints from the lake with `comboi checkpoints rebuild`, then run again."


class LoadLost(ComboiError):
    """The task hub knows a load that the lake does not have."""

    code = "load_lost"
    remedy = "Read the sources again with `comboi run --full-refresh`."


class DatasetLost(ComboiError):
    """A published dataset is missing from its lake, and the next build would contain only a part of its rows."""

    code = "dataset_lost"
    remedy = "Restore it from a backup, or rebuild all of its rows in one run with --from and --to."


class OriginChanged(ComboiError):
    """The table's landed rows come from another source, query or setting than the configuration has now."""

    code = "origin_changed"
    remedy = "Read the whole table again with --full-refresh, or accept the change with `on_change: warn`."


class NotOwner(ComboiError):
    """A table or a dataset in the lake belongs to another pipeline."""

    code = "not_owner"
    remedy = (
        "Rename one of the two, or use another lake for this pipeline. If it is this pipeline's former name, "
        "use takes_over:."
    )


class TableNotFound(ComboiError):
    """The configuration has no such table."""

    code = "table_not_found"
    remedy = "List the tables with `comboi checkpoints list` or GET /api/tables."


class BackfillImpossible(ComboiError):
    """A range of this table cannot be read again."""

    code = "backfill_impossible"
    remedy = "Use --full-refresh to read the whole table."


class CommitConflict(ComboiError):
    """The checkpoint changed during the load."""

    code = "commit_conflict"
    remedy = "Run again. The next run starts from the current checkpoint."


class RunEndedUnfinished(ComboiError):
    """A run has ended without a record: its orchestration was terminated or purged, or the host failed it."""

    code = "run_ended_unfinished"
    remedy = "Start a new run. It continues from the last committed loads."


class RunNotFound(ComboiError):
    """No run has this id."""

    code = "run_not_found"
    remedy = "List the runs with `comboi runs` or GET /api/runs."


class RequestInvalid(ComboiError):
    """An HTTP request or a command's arguments cannot be understood."""

    code = "request_invalid"
    remedy = "Correct what the message says."


# Errors of the project's scripts.


class ScriptError(ComboiError):
    """A transformation or check script is missing, invalid, or raised an error. The message names file and line."""

    code = "script_failed"
    remedy = "Correct the script at the line in the message."


class CheckFailed(ComboiError):
    """A check with severity `error` failed. The dataset was not published."""

    code = "check_failed"
    remedy = "Look at the failing rows in the run record. Correct the data, the transformation or the check."


class MaterializationRefused(ComboiError):
    """The result of a build does not fit the dataset's materialization. It was not published."""

    code = "materialization_refused"
    remedy = "Correct the transformation or the dataset's `materialization:` as the message says."


class ScriptChanged(ComboiError):
    """The script or a setting of a dataset changed, and its published rows were built before that."""

    code = "script_changed"
    remedy = "Rebuild the dataset with --full-refresh, or keep the old rows with `on_change: warn`."


class DedupeError(ComboiError):
    """Splink cannot work with these settings or this data."""

    code = "dedupe_failed"
    remedy = "Correct the dataset's `splink:` settings as the message says."


class ActivityLost(ComboiError):
    """An activity ended without a result: the host stopped it, or its process died."""

    code = "activity_lost"
    remedy = "If it happens again, reduce chunk_rows or memory_limit, or increase the function's time limit."
    transient = True


class HostFailed(ComboiError):
    """The Functions host restarted, or lost its Python worker, several times during a run."""

    code = "host_failed"
    remedy = (
        "Run again: the next run continues from the last committed loads. If it happens again, look for restarts "
        "in the "
        "function app's log. Causes are a deployment, a changed app setting, or too little memory."
    )


class InternalError(ComboiError):
    """An unexpected error."""

    code = "internal_error"
