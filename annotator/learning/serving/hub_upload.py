"""Upload a folder to a hub, as a child process that can be stopped.

Run as ``python -m annotator.learning.serving.hub_upload``. The worker itself may stay offline.

Standard input is a JSON object with "folder", "repository", "is_private", "endpoint" and
"message"; the token is in ``SD_HUB_TOKEN``. Standard output is one line of JSON, ``{"url": ...}``
or ``{"error": sentence}``. The token is never written.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

TOKEN = "SD_HUB_TOKEN"  # noqa: S105 - the name of a variable


def push(request: dict[str, Any], token: str) -> dict[str, str]:
    """Create the repository if it does not exist, and commit the folder to it."""
    from huggingface_hub.errors import (  # noqa: PLC0415 - only this program needs the library
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
    )

    endpoint, repository = request["endpoint"], request["repository"]
    try:
        return {"url": _upload(request, token)}
    except HfHubHTTPError as error:
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", 0)
        return {"error": _refusal(status, repository, endpoint)}
    except (HTTPError, OSError) as error:
        return {
            "error": (
                f"The hub at {endpoint} does not answer ({type(error).__name__}). Try again, or"
                " check SD_HUB_ENDPOINT."
            )
        }
    except HFValidationError as error:
        return {
            "error": (
                f"{repository} is not a valid repository name ({type(error).__name__}). Write"
                " owner/name, with letters, digits, hyphens, underscores and full stops only."
            )
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # The library raises any of these for an answer that does not come from a hub.
        return {
            "error": (
                f"The server at {endpoint} is not a hub ({type(error).__name__}). Check"
                " SD_HUB_ENDPOINT."
            )
        }


def _upload(request: dict[str, Any], token: str) -> str:
    from huggingface_hub import HfApi  # noqa: PLC0415 - only this program needs the library

    api = HfApi(endpoint=request["endpoint"], token=token, library_name="sd-curator")
    created = api.create_repo(request["repository"], private=request["is_private"], exist_ok=True)
    api.upload_folder(
        repo_id=created.repo_id,
        folder_path=request["folder"],
        commit_message=request["message"],
    )
    return str(created)


def _refusal(status: int, repository: str, endpoint: str) -> str:
    if status == 401:
        return f"The hub at {endpoint} does not know the token. Set {TOKEN} to a valid one."
    if status in (403, 404):
        return (
            f"The token has no write access to {repository}. Use a token with write access, or a"
            " repository of the token's owner."
        )
    return f"The hub at {endpoint} refused the upload (status {status}). Try again later."


def main() -> int:
    """Push what standard input asks for, write the answer, and return the exit code."""
    answer = push(json.load(sys.stdin), os.environ.get(TOKEN, ""))
    sys.stdout.write(json.dumps(answer) + "\n")
    return int("error" in answer)


if __name__ == "__main__":
    sys.exit(main())
