// Any text, read as any type, must give an error or a value that can be written and read again
// without a difference.
#include <cstdlib>
#include <memory>
#include <string_view>

#include "esper/contracts/json_codec.h"
#include "esper/contracts/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace esper::contracts;
    if (size == 0) return 0;
    const auto all = all_contracts();
    const RecordInfo& info = *all[data[0] % all.size()];
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::unique_ptr<void, void (*)(void*)> value(info.create(), info.destroy);
    if (!read_json(info, text, value.get())) return 0;
    const auto again = write_json(info, value.get(), info.version);
    if (!again) std::abort();
    const std::unique_ptr<void, void (*)(void*)> back(info.create(), info.destroy);
    if (!read_json(info, *again, back.get())) std::abort();
    if (!info.equal(value.get(), back.get())) std::abort();
    return 0;
}
