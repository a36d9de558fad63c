#pragma once

#include "esper/services/serving/response.h"

namespace esper::urza {

/// An answer of 200 to a GET with its ETag, the SHA-256 of the body, or 304 without a body where
/// the client has it already. A body of 1 KiB or more is compressed where the client takes gzip.
serving::Response tagged(const serving::Request& request, serving::Response response);

/// A gzip member (RFC 1952) with this content.
std::string gzip(std::string_view content);

}  // namespace esper::urza
