"""The calls of etcd that we make: path, request and answer. gRPC needs nothing more of a service."""

from typing import Generic, TypeVar

from google.protobuf.message import Message

from telegraph.directory.etcd import rpc_pb2 as rpc

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)


class Call(Generic[Request, Answer]):
    """One call.

    ``repeatable``: doing it twice is as good as once, so that it may be tried at another member. ``stream``: etcd
    has it as a stream of requests and answers.
    """

    def __init__(
        self,
        path: str,
        request: type[Request],
        answer: type[Answer],
        *,
        repeatable: bool = False,
        stream: bool = False,
    ) -> None:
        self.path = f"/etcdserverpb.{path}"
        self.request, self.answer = request, answer
        self.repeatable, self.stream = repeatable, stream


RANGE = Call("KV/Range", rpc.RangeRequest, rpc.RangeResponse, repeatable=True)
TXN = Call("KV/Txn", rpc.TxnRequest, rpc.TxnResponse)
LOOK = Call("KV/Txn", rpc.TxnRequest, rpc.TxnResponse, repeatable=True)
"""A transaction that writes nothing."""
DELETE_RANGE = Call("KV/DeleteRange", rpc.DeleteRangeRequest, rpc.DeleteRangeResponse, repeatable=True)
COMPACT = Call("KV/Compact", rpc.CompactionRequest, rpc.CompactionResponse, repeatable=True)
WATCH = Call("Watch/Watch", rpc.WatchRequest, rpc.WatchResponse, repeatable=True, stream=True)
GRANT = Call("Lease/LeaseGrant", rpc.LeaseGrantRequest, rpc.LeaseGrantResponse, repeatable=True)
"""Repeatable, because a lease that nobody knows runs out by itself."""
REVOKE = Call("Lease/LeaseRevoke", rpc.LeaseRevokeRequest, rpc.LeaseRevokeResponse, repeatable=True)
KEEP_ALIVE = Call(
    "Lease/LeaseKeepAlive", rpc.LeaseKeepAliveRequest, rpc.LeaseKeepAliveResponse, repeatable=True, stream=True
)
MEMBER_LIST = Call("Cluster/MemberList", rpc.MemberListRequest, rpc.MemberListResponse, repeatable=True)
MEMBER_ADD = Call("Cluster/MemberAdd", rpc.MemberAddRequest, rpc.MemberAddResponse)
MEMBER_REMOVE = Call("Cluster/MemberRemove", rpc.MemberRemoveRequest, rpc.MembersResponse)
MEMBER_UPDATE = Call("Cluster/MemberUpdate", rpc.MemberUpdateRequest, rpc.MembersResponse, repeatable=True)
MEMBER_PROMOTE = Call("Cluster/MemberPromote", rpc.MemberPromoteRequest, rpc.MembersResponse)
MOVE_LEADER = Call("Maintenance/MoveLeader", rpc.MoveLeaderRequest, rpc.MoveLeaderResponse)
STATUS = Call("Maintenance/Status", rpc.StatusRequest, rpc.StatusResponse, repeatable=True)
