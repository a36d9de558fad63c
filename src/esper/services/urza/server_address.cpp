#include "esper/services/urza/server_address.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "esper/base/ascii.h"
#include "esper/base/descriptor.h"
#include "esper/base/environment.h"

namespace esper::urza {
namespace {

constexpr std::size_t kLongestToken = 16384;

/// RFC 3986, section 3.1: a scheme, and a host, are the same in any case.
bool begins_with_scheme(std::string_view url, std::string_view scheme) {
    return url.size() >= scheme.size() &&
           std::ranges::equal(url.substr(0, scheme.size()), scheme, {}, lower);
}

/// Scheme and host in small letters.
std::string with_small_host(std::string url) {
    const auto host = url.find("://") + 3;
    const auto end = url.find_first_of("/?#", host);
    const auto stop =
        end == std::string::npos ? url.end() : url.begin() + static_cast<std::ptrdiff_t>(end);
    std::transform(url.begin(), stop, url.begin(), lower);
    return url;
}

/// `host` of `scheme://host:port/path`.
std::string host_of(std::string_view url) {
    auto rest = url.substr(url.find("://") + 3);
    rest = rest.substr(0, rest.find('/'));
    if (rest.starts_with('[')) return std::string(rest.substr(0, rest.find(']') + 1));
    return std::string(rest.substr(0, rest.find(':')));
}

/// No name server can make these point to another machine.
bool is_this_machine(std::string_view host) {
    const bool digits = host.find_first_not_of("0123456789.") == std::string_view::npos;
    return host == "localhost" || host.ends_with(".localhost") || host == "[::1]" ||
           (digits && host.starts_with("127."));
}

/// A header cannot hold others.
bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<std::string> read_token(const std::string& file) {
    const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat st {};
    if (in.get() < 0 || ::fstat(in.get(), &st) != 0)
        return fail(UrzaError::kBadRequest,
                    fmt::format("ESPER_LIBRARY_TOKEN_FILE={}: {}", file, std::strerror(errno)));
    const bool mine = st.st_uid == ::geteuid() || st.st_uid == 0;
    if (!S_ISREG(st.st_mode) || !mine || (st.st_mode & 077) != 0)
        return fail(
            UrzaError::kInsecure,
            fmt::format("ESPER_LIBRARY_TOKEN_FILE={}: others may read or write it, or it is "
                        "no file of yours; chmod 600 it, and make another token if "
                        "somebody has seen this one",
                        file));
    std::string text(kLongestToken + 1, '\0');
    const auto size = ::read(in.get(), text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    const auto end = text.find_last_not_of(" \r\n");
    return text.substr(0, end == std::string::npos ? 0 : end + 1);
}

}  // namespace

bool is_server(std::string_view library) {
    return begins_with_scheme(library, "http://") || begins_with_scheme(library, "https://");
}

Status refuse_server(const std::string& library, std::string_view what) {
    if (!is_server(library)) return {};
    return fail(UrzaError::kBadAddress,
                fmt::format("{} needs the library itself, and {} is a server's; name its folder or "
                            "database with --library",
                            what, library));
}

Result<ServerAddress> server_address(const std::string& url) {
    ServerAddress address{is_server(url) ? with_small_host(url) : url, "",
                          environment("SSL_CERT_FILE")};
    while (address.base.ends_with('/')) address.base.pop_back();
    const std::string host = is_server(address.base) ? host_of(address.base) : "";
    const bool has_control = std::ranges::any_of(address.base, [](char c) { return c <= ' '; });
    if (host.empty() || has_control || address.base.find_first_of("@?#") != std::string::npos)
        return fail(UrzaError::kBadAddress,
                    "the library's address must be http://HOST[:PORT] or https://HOST[:PORT], "
                    "without a user, a query or a fragment");
    if (address.base.starts_with("http://") && !is_this_machine(host) &&
        environment("ESPER_LIBRARY_INSECURE") != "1")
        return fail(
            UrzaError::kInsecure,
            fmt::format("{}: plain http would show the token to everybody on the way; use "
                        "https (a proxy with TLS before esper urza serve), or, in a network "
                        "that you trust, set ESPER_LIBRARY_INSECURE=1",
                        address.base));
    const std::string file = environment("ESPER_LIBRARY_TOKEN_FILE");
    if (file.empty()) {
        address.token = environment("ESPER_LIBRARY_TOKEN");
    } else {
        ESPER_TRY(address.token, read_token(file));
    }
    if (address.token.size() <= kLongestToken && is_token(address.token)) return address;
    return fail(UrzaError::kBadRequest,
                fmt::format("{} needs a token: put what esper token add printed into a file (chmod "
                            "600) and name it in ESPER_LIBRARY_TOKEN_FILE",
                            address.base));
}

}  // namespace esper::urza
