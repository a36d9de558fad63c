#pragma once

#include "esper/utils/s3_session.h"

namespace esper::utils {

/// kCorrupt when the server's ETag is an MD5 and not the expected one.
Status verify_etag(const S3Object& object, std::string_view md5_hex);
/// Compares with the `sha256` metadata, or with an ETag that is an MD5, or not at all when there is
/// neither.
Status verify_content(const S3Object& object, std::string_view sha256_hex,
                      std::string_view md5_hex);

Status upload_file(S3Session& session, const std::string& key, const std::filesystem::path& path);
Status download_file(S3Session& session, const std::string& key, const std::filesystem::path& path);

}  // namespace esper::utils
