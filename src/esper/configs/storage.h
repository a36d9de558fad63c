#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_DATABASE_KINDS(X) X(kSqlite, 0, "sqlite") X(kPostgres, 1, "postgres")
ESPER_CONTRACT_ENUM(DatabaseKind, ESPER_DATABASE_KINDS)

#define ESPER_ARTIFACT_STORES(X) X(kDirectory, 0, "directory") X(kS3, 1, "s3")
ESPER_CONTRACT_ENUM(ArtifactStore, ESPER_ARTIFACT_STORES)

#define ESPER_SSL_MODES(X)    \
    X(kDisable, 0, "disable") \
    X(kPrefer, 1, "prefer")   \
    X(kRequire, 2, "require") \
    X(kVerifyFull, 3, "verify-full")
ESPER_CONTRACT_ENUM(SslMode, ESPER_SSL_MODES)

#define ESPER_DATABASE_KEYS(X)                                                                     \
    X(DatabaseKind, kind, DatabaseKind::kSqlite, rule::any(), "one file, or a server")             \
    X(std::string, path, "library/urza.sqlite", rule::any(), "the file (sqlite)")                  \
    X(std::string, url, "", rule::text(TextForm::kUrl).from_environment("DATABASE_URL"),           \
      "the server: postgres://user:password@host:5432/database")                                   \
    X(SslMode, ssl_mode, SslMode::kPrefer, rule::any(), "encryption of the connection (postgres)") \
    X(int, pool_size, 20, rule::within(1, 10000), "connections kept open")                         \
    X(int, pool_overflow, 30, rule::within(0, 10000), "more of them under load")                   \
    X(Duration, pool_timeout, Duration::seconds(30), rule::some_time(TimeKind::kClock),            \
      "longest wait for one")                                                                      \
    X(Duration, pool_recycle, Duration::hours(1), rule::some_time(TimeKind::kClock),               \
      "a connection is replaced after this")
ESPER_CONFIG_SECTION(DatabaseConfig, ESPER_DATABASE_KEYS)

#define ESPER_S3_KEYS(X)                                                                       \
    X(std::string, endpoint, "http://localhost:9000",                                          \
      rule::text(TextForm::kUrl).from_environment("AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL"),     \
      "the server")                                                                            \
    X(std::string, bucket, "esper-artifacts", rule::text(TextForm::kNotEmpty), "the bucket")   \
    X(std::string, region, "us-east-1",                                                        \
      rule::text(TextForm::kNotEmpty).from_environment("AWS_REGION AWS_DEFAULT_REGION"),       \
      "part of what a request is signed for")                                                  \
    X(Secret, access_key, {}, rule::any().from_environment("AWS_ACCESS_KEY_ID"), "key's name") \
    X(Secret, secret_key, {}, rule::any().from_environment("AWS_SECRET_ACCESS_KEY"),           \
      "key's secret")                                                                          \
    X(Secret, session_token, {}, rule::any().from_environment("AWS_SESSION_TOKEN"),            \
      "of temporary keys")                                                                     \
    X(int, connections, 50, rule::within(1, 10000), "kept open")                               \
    X(int, attempts, 3, rule::within(1, 100), "of a transfer before it has failed")            \
    X(Duration, connect_timeout, Duration::seconds(10), rule::some_time(TimeKind::kClock),     \
      "longest wait for a connection")                                                         \
    X(Duration, read_timeout, Duration::seconds(60), rule::some_time(TimeKind::kClock),        \
      "longest silence in a transfer")
ESPER_CONFIG_SECTION(S3Config, ESPER_S3_KEYS)

#define ESPER_STORAGE_KEYS(X)                                                                     \
    X(ArtifactStore, artifacts, ArtifactStore::kDirectory, rule::any(), "where kernels are kept") \
    X(std::string, directory, "library", rule::text(TextForm::kNotEmpty),                         \
      "the folder (directory)")                                                                   \
    X(int, cache_mb, 512, rule::within(1, 1 << 20), "memory of the kernel cache")                 \
    X(int, cache_entries, 128, rule::within(1, 1 << 24), "kernels in it")                         \
    X(DatabaseConfig, database, {}, rule::any(), "what is known of blueprints and kernels")       \
    X(S3Config, s3, {}, rule::any(), "an object store (s3)")
ESPER_CONFIG_SECTION(StorageConfig, ESPER_STORAGE_KEYS)

}  // namespace esper::configs
