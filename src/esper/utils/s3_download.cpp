#include <fmt/format.h>
#include <openssl/evp.h>

#include <memory>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/utils/local_file.h"
#include "esper/utils/s3_transfer.h"

namespace esper::utils {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;

bool is_md5(std::string_view etag) {
    return etag.size() == 32 &&
           etag.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status corrupt(const S3Object& object, std::string_view what, std::string_view expected,
               std::string_view got) {
    return fail(S3Error::kCorrupt, fmt::format("{}: expected {} {}, got {}; the bytes were damaged "
                                               "on their way or in store",
                                               object.key, what, expected, got));
}

struct Digests {
    std::string sha256_hex;
    std::string md5_hex;
};

Result<Digests> digests_of(const LocalFile& file, std::uint64_t size) {
    Sha256Hasher hasher;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> md5(EVP_MD_CTX_new(),
                                                                      EVP_MD_CTX_free);
    EVP_DigestInit_ex(md5.get(), EVP_md5(), nullptr);
    for (std::uint64_t at = 0; at < size; at += kPiece) {
        ESPER_TRY(const std::string piece, file.read(at, std::min(kPiece, size - at)));
        hasher.update(piece);
        EVP_DigestUpdate(md5.get(), piece.data(), piece.size());
    }
    std::string digest(16, '\0');
    EVP_DigestFinal_ex(md5.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return Digests{hasher.finish().hex(), hex_of(digest)};
}

/// Fetches what is missing of `object` into the file, piece after piece, going on where a broken
/// connection left off. `at` is what is there already.
Status fetch_rest(S3Session& session, const S3Object& object, LocalFile& file, std::uint64_t at) {
    int idle_attempts = 0;
    while (at < object.size) {
        const std::uint64_t before = at;
        Status written;
        const auto r = session.call({.method = "GET",
                                     .key = object.key,
                                     .headers = {{"range", fmt::format("bytes={}-", at)},
                                                 {"if-match", '"' + object.etag + '"'}},
                                     .sink = [&](std::string_view piece) {
                                         if (piece.size() > object.size - at) {
                                             written = fail(S3Error::kMalformedAnswer,
                                                            "more bytes than the object has");
                                         } else {
                                             written = file.write(at, piece);
                                         }
                                         if (written) at += piece.size();
                                         return written.has_value();
                                     }});
        if (!written) return written;
        if (r && r->status != 206) {
            return fail(S3Error::kMalformedAnswer,
                        fmt::format("{}: expected 206 for a range, got {}", object.key, r->status));
        }
        if (!r && !r.error().is(S3Error::kTransport) && !r.error().is(S3Error::kServer)) {
            return fail(r.error());
        }
        if (at == object.size) break;
        idle_attempts = at > before ? 0 : idle_attempts + 1;
        if (idle_attempts >= session.options().download_attempts) {
            if (!r) return fail(r.error());
            return fail(S3Error::kTransport, fmt::format("{}: no more bytes came after {} of {}",
                                                         object.key, at, object.size));
        }
        session.count_resumed();
    }
    return {};
}

/// How much of the object an earlier, interrupted call left in the file: all of it if the note
/// beside it names the same object, else nothing.
std::uint64_t left_from_before(const LocalFile& file, const std::filesystem::path& note,
                               const S3Object& object) {
    const auto named = read_file(note, 4096);
    const auto size = file.size();
    if (!named || !size || *named != object.etag || *size > object.size) return 0;
    return *size;
}

Status from_file_error(const Status& s) {
    if (s) return s;
    return fail(S3Error::kLocalFile, s.error().message());
}

}  // namespace

Status verify_etag(const S3Object& object, std::string_view md5_hex) {
    if (!is_md5(object.etag) || object.etag == md5_hex) return {};
    return corrupt(object, "ETag", md5_hex, object.etag);
}

Status verify_content(const S3Object& object, std::string_view sha256_hex,
                      std::string_view md5_hex) {
    if (const auto stored = object.metadata.find("sha256"); stored != object.metadata.end()) {
        if (stored->second == sha256_hex) return {};
        return corrupt(object, "SHA-256", stored->second, sha256_hex);
    }
    return verify_etag(object, md5_hex);
}

Status download_file(S3Session& session, const std::string& key,
                     const std::filesystem::path& path) {
    ESPER_TRY(const HttpResponse head, session.call({.method = "HEAD", .key = key}));
    const S3Object object = object_from_headers(key, head);
    const std::filesystem::path part = path.string() + ".part";
    const std::filesystem::path note = path.string() + ".part.etag";
    ESPER_TRY(LocalFile file, LocalFile::open_for_writing(part));
    const std::uint64_t there = left_from_before(file, note, object);
    if (there > 0) session.count_resumed();
    ESPER_CHECK_STATUS(from_file_error(write_file_atomic(note, object.etag)));
    ESPER_CHECK_STATUS(file.truncate(there));
    ESPER_CHECK_STATUS(fetch_rest(session, object, file, there));
    ESPER_TRY(const Digests digests, digests_of(file, object.size));
    std::error_code failed;
    if (const Status s = verify_content(object, digests.sha256_hex, digests.md5_hex); !s) {
        std::filesystem::remove(part, failed);
        std::filesystem::remove(note, failed);
        return s;
    }
    ESPER_CHECK_STATUS(file.sync());
    std::filesystem::rename(part, path, failed);
    if (failed) {
        return fail(S3Error::kLocalFile, fmt::format("cannot rename {} to {}: {}", part.string(),
                                                     path.string(), failed.message()));
    }
    std::filesystem::remove(note, failed);
    return {};
}

}  // namespace esper::utils
