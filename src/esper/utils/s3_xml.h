#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace esper::utils {

/// The raw contents of every `<tag>…</tag>`, in order. Enough for S3's answers, which do not nest
/// a tag in itself.
std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view tag);

/// The text of the first `<tag>`, entities resolved.
std::optional<std::string> xml_text(std::string_view xml, std::string_view tag);

/// Text as an XML element may hold it.
std::string xml_escape(std::string_view text);

}  // namespace esper::utils
