#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "esper/base/base64.h"
#include "esper/base/hash.h"
#include "esper/utils/local_file.h"
#include "esper/utils/s3_transfer.h"
#include "esper/utils/s3_xml.h"

namespace esper::utils {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;

Result<std::string> file_sha256(const LocalFile& file, std::uint64_t size) {
    Sha256Hasher hasher;
    for (std::uint64_t at = 0; at < size; at += kPiece) {
        ESPER_TRY(const std::string piece, file.read(at, std::min(kPiece, size - at)));
        hasher.update(piece);
    }
    return hasher.finish().hex();
}

/// One upload in parts.
class Multipart {
  public:
    Multipart(S3Session& session, std::string key, const LocalFile& file, std::uint64_t size)
        : session_(session),
          key_(std::move(key)),
          file_(file),
          size_(size),
          part_bytes_(session.options().part_bytes),
          etags_((size + part_bytes_ - 1) / part_bytes_) {}

    Status run(const std::string& sha256_hex) {
        ESPER_TRY(const HttpResponse r,
                  session_.call({.method = "POST",
                                 .key = key_,
                                 .query = {{"uploads", ""}},
                                 .headers = {{"x-amz-meta-sha256", sha256_hex}}}));
        upload_ = xml_text(r.body, "UploadId").value_or("");
        if (upload_.empty()) {
            return fail(S3Error::kMalformedAnswer, "expected an UploadId in the answer");
        }
        Status status = send_parts();
        if (status) status = complete();
        if (!status) abandon();
        return status;
    }

  private:
    Status send_parts() {
        std::atomic<std::size_t> next{0};
        std::atomic<bool> failed{false};
        std::mutex mutex;
        Status first_failure;
        const auto work = [&] {
            for (std::size_t i = next++; i < etags_.size() && !failed; i = next++) {
                const Status s = send_part(i);
                if (s) continue;
                const std::lock_guard lock(mutex);
                if (!failed.exchange(true)) first_failure = s;
            }
        };
        std::vector<std::thread> workers;
        const auto wanted = static_cast<std::size_t>(session_.options().parallel_parts);
        for (std::size_t i = 1; i < std::min(wanted, etags_.size()); ++i)
            workers.emplace_back(work);
        work();
        for (auto& w : workers) w.join();
        return first_failure;
    }

    Status send_part(std::size_t index) {
        const std::uint64_t at = index * part_bytes_;
        ESPER_TRY(const std::string bytes, file_.read(at, std::min(part_bytes_, size_ - at)));
        const std::string md5 = md5_bytes(bytes);
        ESPER_TRY(const HttpResponse r,
                  session_.call(
                      {.method = "PUT",
                       .key = key_,
                       .query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", upload_}},
                       .headers = {{"content-md5", base64_of(md5)}},
                       .body = bytes}));
        etags_[index] = object_from_headers(key_, r).etag;
        return verify_etag({.key = key_, .etag = etags_[index]}, hex_of(md5));
    }

    Status complete() {
        std::string body = "<CompleteMultipartUpload>";
        for (std::size_t i = 0; i < etags_.size(); ++i) {
            body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag></Part>",
                                i + 1, xml_escape(etags_[i]));
        }
        body += "</CompleteMultipartUpload>";
        const auto r = session_.call(
            {.method = "POST", .key = key_, .query = {{"uploadId", upload_}}, .body = body});
        // S3 may answer 200 and report a failure in the body.
        if (r && r->body.find("<Error>") == std::string::npos) {
            std::string etag = xml_text(r->body, "ETag").value_or("");
            std::erase(etag, '"');
            return compare(etag);
        }
        // An answer that was lost may still have been a success; the object itself knows.
        const auto head = session_.call({.method = "HEAD", .key = key_});
        if (head && compare(object_from_headers(key_, *head).etag)) return {};
        if (!r) return fail(r.error());
        return fail(S3Error::kRequest, fmt::format("completing {}: {}", key_,
                                                   xml_text(r->body, "Code").value_or("?")));
    }

    /// The ETag of an object in parts is the MD5 of the parts' MD5s, then `-<parts>`.
    Status compare(std::string_view etag) const {
        std::string digests;
        for (const std::string& part : etags_) {
            for (std::size_t i = 0; i + 1 < part.size(); i += 2) {
                digests += static_cast<char>(std::stoi(part.substr(i, 2), nullptr, 16));
            }
        }
        const std::string expected =
            fmt::format("{}-{}", hex_of(md5_bytes(digests)), etags_.size());
        if (etag == expected) return {};
        return fail(S3Error::kCorrupt,
                    fmt::format("{}: expected ETag {}, the server has {}", key_, expected, etag));
    }

    void abandon() {
        static_cast<void>(
            session_.call({.method = "DELETE", .key = key_, .query = {{"uploadId", upload_}}}));
    }

    S3Session& session_;
    std::string key_;
    const LocalFile& file_;
    std::uint64_t size_;
    std::uint64_t part_bytes_;
    std::string upload_;
    std::vector<std::string> etags_;
};

}  // namespace

Status upload_file(S3Session& session, const std::string& key, const std::filesystem::path& path) {
    ESPER_TRY(const LocalFile file, LocalFile::open_for_reading(path));
    ESPER_TRY(const std::uint64_t size, file.size());
    if (size >= session.options().multipart_from && size > 0) {
        ESPER_TRY(const std::string digest, file_sha256(file, size));
        return Multipart(session, key, file, size).run(digest);
    }
    ESPER_TRY(const std::string bytes, file.read(0, size));
    const std::string md5 = md5_bytes(bytes);
    ESPER_TRY(const HttpResponse r,
              session.call({.method = "PUT",
                            .key = key,
                            .headers = {{"content-md5", base64_of(md5)},
                                        {"x-amz-meta-sha256", sha256(bytes).hex()}},
                            .body = bytes}));
    return verify_etag(object_from_headers(key, r), hex_of(md5));
}

}  // namespace esper::utils
