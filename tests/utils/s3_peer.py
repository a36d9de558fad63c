"""The other side of the S3 tests: a moto server that verifies signatures, and boto3 as a peer.

Prints one line `PORT ACCESS_KEY SECRET_KEY`, then answers commands on standard input, one a line:
`put KEY FILE`, `put_multipart KEY FILE`, `get KEY FILE`, `uploads` (how many are unfinished),
`corrupt KEY` (changes a stored byte), `age SECONDS` (makes every object that much older). Ends when
standard input does.
"""

import logging
import os
import sys
from datetime import timedelta

# The three actions that make a user with a key go unchecked; everything after is verified.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
# S3 wants 5 MiB a part; small ones make the tests quick.
os.environ["S3_UPLOAD_PART_MIN_SIZE"] = "1000"

import boto3  # noqa: E402
from boto3.s3.transfer import TransferConfig  # noqa: E402
from botocore.config import Config  # noqa: E402
from moto.s3.models import s3_backends  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

POLICY = (
    '{"Version": "2012-10-17", "Statement":'
    ' [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
)


def make_user(endpoint):
    iam = boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )
    iam.create_user(UserName="esper")
    iam.put_user_policy(UserName="esper", PolicyName="s3", PolicyDocument=POLICY)
    key = iam.create_access_key(UserName="esper")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def stored_keys(bucket):
    for backend in s3_backends.values():
        for region in backend.values():
            if bucket in region.buckets:
                return region.buckets[bucket].keys
    raise KeyError(bucket)


def run(s3, bucket, words):
    command, arguments = words[0], words[1:]
    if command == "put":
        with open(arguments[1], "rb") as file:
            s3.put_object(Bucket=bucket, Key=arguments[0], Body=file.read())
    elif command == "put_multipart":
        parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
        s3.upload_file(arguments[1], bucket, arguments[0], Config=parts)
    elif command == "get":
        body = s3.get_object(Bucket=bucket, Key=arguments[0])["Body"].read()
        with open(arguments[1], "wb") as file:
            file.write(body)
    elif command == "uploads":
        return str(len(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])))
    elif command == "corrupt":
        buffer = stored_keys(bucket)[arguments[0]]._value_buffer
        buffer.seek(0)
        first = buffer.read(1)
        buffer.seek(0)
        buffer.write(bytes([first[0] ^ 1]))
    elif command == "age":
        for key in stored_keys(bucket).values():
            key.last_modified -= timedelta(seconds=int(arguments[0]))
    else:
        return f"unknown command {command}"
    return "ok"


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    access_key, secret_key = make_user(endpoint)
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    print(port, access_key, secret_key, flush=True)
    for line in sys.stdin:
        try:
            print(run(s3, "esper-artifacts", line.split()), flush=True)
        except Exception as error:  # the test must see whatever went wrong
            print("failed:", repr(error).replace("\n", " "), flush=True)
    server.stop()


if __name__ == "__main__":
    main()
