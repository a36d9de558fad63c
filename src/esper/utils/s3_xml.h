#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace esper::utils {

/// The raw contents of every `<tag>…</tag>`, in order. A tag nested in itself is not supported; S3
/// sends none.
std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view tag);

/// The text of the first `<tag>`, with its entities replaced.
std::optional<std::string> xml_text(std::string_view xml, std::string_view tag);

/// Text for the inside of an XML element: `&`, `<` and `>` become entities.
std::string xml_escape(std::string_view text);

}  // namespace esper::utils
