#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace esper::tolaria {

/// Decoded images of earlier runs, by a key that names content and size:
/// $XDG_CACHE_HOME/esper/images, else ~/.cache/esper/images. Kept below 8 GiB, the oldest go first.
/// What cannot be read is not there; what cannot be written is not kept.
std::optional<std::string> find_decoded(const std::string& key);
void keep_decoded(const std::string& key, std::string_view pixels);

}  // namespace esper::tolaria
