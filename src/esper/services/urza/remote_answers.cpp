#include "esper/services/urza/remote_answers.h"

namespace esper::urza {

using nlohmann::json;

tl::unexpected<Error> bad_answer(std::string_view what) {
    return fail(UrzaError::kBadAnswer,
                fmt::format("the library's server says what cannot be: {}", what));
}

Result<json> items_in(const std::string& text, std::uint32_t most) {
    constexpr int kDeepest = 64;
    json page = json::parse(
        text, [](int depth, auto, json&) { return depth < kDeepest; }, false);
    if (!page.is_object() || !page.contains("items") || !page["items"].is_array())
        return bad_answer("expected a page with items");
    if (page["items"].size() > most)
        return bad_answer(fmt::format("{} items on a page of {}", page["items"].size(), most));
    return std::move(page["items"]);
}

}  // namespace esper::urza
