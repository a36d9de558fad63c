// Tokens and key sets: any text must give an answer. What is taken as signed by the keys here must
// be what their owners signed (the examples of RFC 8037 and RFC 7515): anything else is a forgery.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "../tests/serving/example_keys.h"
#include "esper/services/serving/web_token.h"

namespace {

using namespace esper;

const auto& known_keys() {
    static const auto keys = [] {
        std::array<std::vector<serving::WebKey>, 3> all;
        all[0] = *serving::read_web_keys(testing::key_set(testing::kRfc8037Key));
        all[1] = *serving::read_web_keys(testing::key_set(testing::kRfc7515P256));
        all[2] = *serving::read_web_keys(testing::key_set(testing::kRfc7515Rsa));
        return all;
    }();
    return keys;
}

bool was_signed(std::string_view token) {
    return token == testing::kRfc8037Token || token == testing::kRfc7515P256Token ||
           token == testing::kRfc7515RsaToken;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] == 'k') {
        const auto keys = serving::read_web_keys(text);
        if (!keys && keys.error().message().empty()) std::abort();
        return 0;
    }
    for (const auto& keys : known_keys()) {
        if (serving::verified_payload(text, keys) && !was_signed(text)) std::abort();
        // None of the examples has the claims of a caller.
        if (serving::verify_web_token(text, keys, {"joe", "esper"}, 1'300'000'000)) std::abort();
    }
    return 0;
}
