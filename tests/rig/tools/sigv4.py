"""Says how botocore signs requests. Each line of the input is one; each line of the output its signature."""

import base64
import hashlib
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

for line in sys.stdin:
    asked = json.loads(line)
    body = base64.b64decode(asked["body"])
    # Those that the sender has signed, and no others.
    headers = asked["headers"]
    request = AWSRequest(method=asked["method"], url=asked["url"], data=body, headers=headers)
    request.context["timestamp"] = headers["x-amz-date"]
    keys = Credentials(asked["id"], asked["secret"], asked["token"])
    signer = SigV4Auth(keys, asked["service"], asked["region"])
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    said = headers.get("x-amz-content-sha256")
    if said not in (None, hashlib.sha256(body).hexdigest()):
        signature = "the body is another"
    print(signature, flush=True)
