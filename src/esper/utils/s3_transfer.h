#pragma once

#include "esper/utils/s3_session.h"

namespace esper::utils {

/// Error: kCorrupt when the server's ETag is an MD5 and differs from `md5_hex`.
Status verify_etag(const S3Object& object, std::string_view md5_hex);
/// Compares the content with the `sha256` metadata, else with the ETag if that is an MD5. Succeeds
/// when the object has neither. Error: kCorrupt.
Status verify_content(const S3Object& object, std::string_view sha256_hex,
                      std::string_view md5_hex);

Status upload_file(S3Session& session, const std::string& key, const std::filesystem::path& path);
Status download_file(S3Session& session, const std::string& key, const std::filesystem::path& path);

}  // namespace esper::utils
