#include "esper/services/urza/http_answers.h"

#include <zlib.h>

#include "esper/base/hash.h"

namespace esper::urza {
namespace {

constexpr std::size_t kWorthCompressing = 1024;
constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for a gzip header

bool takes_gzip(const serving::Request& request) {
    const auto accepted = request.header("accept-encoding");
    const auto at = accepted.find("gzip");
    if (at == std::string_view::npos) return false;
    const auto rest = accepted.substr(at, accepted.find(',', at) - at);
    return rest.find("q=0") == std::string_view::npos ||
           rest.find("q=0.") != std::string_view::npos;
}

}  // namespace

std::string gzip(std::string_view content) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return "";
    std::string out(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    out.resize(whole ? stream.total_out : 0);
    deflateEnd(&stream);
    return out;
}

serving::Response tagged(const serving::Request& request, serving::Response response) {
    if (response.status != 200 || !response.body || request.method == "POST") return response;
    const std::string tag = "\"" + sha256(response.text()).hex().substr(0, 32) + "\"";
    response.headers.emplace_back("ETag", tag);
    response.headers.emplace_back("Vary", "Accept-Encoding");
    // To be asked again each time: a kernel may have been taken out of use.
    response.headers.emplace_back("Cache-Control", "private, no-cache");
    if (request.header("if-none-match").find(tag) != std::string_view::npos) {
        response.status = 304;
        response.body = std::make_shared<const std::string>();
        return response;
    }
    if (response.text().size() < kWorthCompressing || !takes_gzip(request)) return response;
    std::string small = gzip(response.text());
    if (small.empty() || small.size() >= response.text().size()) return response;
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = std::make_shared<const std::string>(std::move(small));
    return response;
}

}  // namespace esper::urza
