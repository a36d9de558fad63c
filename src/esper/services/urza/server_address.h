#pragma once

#include <string>
#include <string_view>

#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// Whether a library's name is that of a server (http:// or https://, in any case), not of a
/// folder.
bool is_server(std::string_view library);

/// Error: kBadAddress for a server where the library itself is needed, which `what` says.
Status refuse_server(const std::string& library, std::string_view what);

/// Where a library's server is, and what is shown to it.
struct ServerAddress {
    std::string base;  ///< e.g. `https://host:8000`, without a `/` at its end
    std::string token;
    std::string ca_file;  ///< "": the system's
};

/// Checks the URL and reads the token: $ESPER_LIBRARY_TOKEN_FILE, a file that nobody else may read
/// or write, else $ESPER_LIBRARY_TOKEN. $SSL_CERT_FILE names certificates to trust. Errors:
/// kBadAddress for a URL with a user, a query or a fragment; kBadRequest without a token; kInsecure
/// for plain http:// to another machine (unless $ESPER_LIBRARY_INSECURE is 1), and for a file that
/// others may read or write.
Result<ServerAddress> server_address(const std::string& url);

}  // namespace esper::urza
