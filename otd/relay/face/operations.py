"""The operations of the face, by name: each a function from a served calendar and a request to an answer. Pure.

What is not in the table is answered with a fault; what would write is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otd.relay.face import directory, reading, sync
from otd.relay.face.answers import Answer, Options
from otd.relay.face.availability import get_user_availability
from otd.relay.face.served import Served
from otd.relay.face.soap import EwsError, Fault, Request, child, failure, response

Operation = Callable[[Served, Request, Options], Answer]

OPERATIONS: Mapping[str, Operation] = {
    "GetFolder": reading.get_folder,
    "FindFolder": reading.find_folder,
    "FindItem": reading.find_item,
    "GetItem": reading.get_item,
    "SyncFolderItems": sync.sync_folder_items,
    "Subscribe": sync.subscribe,
    "GetEvents": sync.get_events,
    "Unsubscribe": sync.unsubscribe,
    "GetUserAvailabilityRequest": get_user_availability,
    "ConvertId": directory.convert_id,
    "ResolveNames": directory.resolve_names,
    "GetServerTimeZones": directory.get_server_time_zones,
    "GetUserConfiguration": directory.get_user_configuration,
}
# Operations that would write: where they list what they are about, and the empty element that their refusal ends with.
WRITES: Mapping[str, tuple[str, str]] = {
    "CreateItem": ("Items", "<m:Items/>"),
    "UpdateItem": ("ItemChanges", "<m:Items/>"),
    "MoveItem": ("ItemIds", "<m:Items/>"),
    "CopyItem": ("ItemIds", "<m:Items/>"),
    "DeleteItem": ("ItemIds", ""),
    "SendItem": ("ItemIds", ""),
    "MarkAllItemsAsRead": ("FolderIds", ""),
    "CreateFolder": ("Folders", "<m:Folders/>"),
    "UpdateFolder": ("FolderChanges", "<m:Folders/>"),
    "MoveFolder": ("FolderIds", "<m:Folders/>"),
    "CopyFolder": ("FolderIds", "<m:Folders/>"),
    "DeleteFolder": ("FolderIds", ""),
    "EmptyFolder": ("FolderIds", ""),
    "CreateAttachment": ("Attachments", "<m:Attachments/>"),
    "DeleteAttachment": ("AttachmentIds", ""),
    "CreateUserConfiguration": ("", ""),
    "UpdateUserConfiguration": ("", ""),
    "DeleteUserConfiguration": ("", ""),
}
_MOST_REFUSALS = 1000


def answer(served: Served, request: Request, options: Options) -> Answer:
    """Raises Fault for a request that cannot be answered at all."""
    if request.impersonated and not served.is_own(request.impersonated):
        raise Fault("ErrorImpersonateUserDenied")
    operation = OPERATIONS.get(request.operation)
    if operation is not None:
        return operation(served, request, options)
    if request.operation in WRITES:
        return _refused(request)
    raise Fault("ErrorInvalidRequest", "This operation is not known here.")


def is_known(operation: str) -> bool:
    """Whether it is answered with what was asked for."""
    return operation in OPERATIONS


def _refused(request: Request) -> Answer:
    container, tail = WRITES[request.operation]
    listed = child(request.element, container) if container else None
    count = min(len(listed), _MOST_REFUSALS) if listed is not None else 1
    message = failure(request.operation, EwsError("ErrorAccessDenied"), tail)
    return Answer(xml=response(request.operation, [message] * max(count, 1)))
