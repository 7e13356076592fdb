"""A folder goes to a hub: a program of its own, ``python -m
annotator.learning.serving.hub_upload``.

So it can be stopped, and a worker may be offline.

Standard input is ``{"folder", "repository", "is_private", "endpoint", "message"}``, the token
stands in ``SD_HUB_TOKEN``; standard output is one line of JSON, ``{"url"}`` or ``{"error":
sentence}``, which never holds the token.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

TOKEN = "SD_HUB_TOKEN"  # noqa: S105 - the name of a variable


def push(asked: dict[str, Any], token: str) -> dict[str, str]:
    """Make the repository where there is none, and commit the folder to it."""
    from huggingface_hub import HfApi  # noqa: PLC0415 - only this program needs it
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError  # noqa: PLC0415

    api, repository = (
        HfApi(endpoint=asked["endpoint"], token=token, library_name="sd-curator"),
        asked["repository"],
    )
    try:
        made = api.create_repo(repository, private=asked["is_private"], exist_ok=True)
        api.upload_folder(
            repo_id=made.repo_id, folder_path=asked["folder"], commit_message=asked["message"]
        )
    except HfHubHTTPError as error:
        response = getattr(error, "response", None)
        return {
            "error": _refused(getattr(response, "status_code", 0), repository, asked["endpoint"])
        }
    except (HTTPError, OSError) as error:
        return {
            "error": (
                f"The hub at {asked['endpoint']} does not answer ({type(error).__name__}). Try"
                " again, or look at SD_HUB_ENDPOINT."
            )
        }
    except HFValidationError as error:
        return {
            "error": (
                f"{repository} is no name for a repository ({type(error).__name__}). Write"
                " owner/name, letters, digits, and - _ . alone."
            )
        }
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:  # whatever the library makes of an answer that is none
        return {
            "error": (
                f"What answers at {asked['endpoint']} is no hub ({type(error).__name__}). Look at"
                " SD_HUB_ENDPOINT."
            )
        }
    return {"url": str(made)}


def _refused(status: int, repository: str, endpoint: str) -> str:
    if status == 401:
        return f"The hub at {endpoint} does not know the token. Set {TOKEN} to one that is valid."
    if status in (403, 404):
        return (
            f"The token may not write to {repository}. Take a token with the right to write, or a"
            " repository of its owner."
        )
    return f"The hub at {endpoint} refused it ({status}). Try again later."


def main() -> int:
    found = push(json.load(sys.stdin), os.environ.get(TOKEN, ""))
    sys.stdout.write(json.dumps(found) + "\n")
    return int("error" in found)


if __name__ == "__main__":
    sys.exit(main())
