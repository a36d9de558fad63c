// Archives of torch.export: any bytes must give a model or an error. The first byte chooses whether
// the rest is a whole archive or a model's JSON, which is put into a well-formed archive (otherwise
// checksums and offsets would stop most mutations before the graph is read).
#include <cstddef>
#include <cstdint>
#include <string>

#include "../tests/exchange/zip_builder.h"
#include "esper/exchange/importers/pt2.h"
#include "esper/program/program.h"

namespace {

constexpr const char* kWeights =
    R"({"config":{"w":{"path_name":"weight_0","is_param":true,"use_pickle":false,"tensor_meta":)"
    R"({"dtype":7,"sizes":[{"as_int":2},{"as_int":2}],"requires_grad":true,"device":)"
    R"({"type":"cpu","index":null},"strides":[{"as_int":2},{"as_int":1}],"storage_offset":)"
    R"({"as_int":0},"layout":7}}}})";

std::string archive_around(std::string model) {
    esper::graph::testing::ZipBuilder zip;
    zip.add("m/archive_format", "pt2");
    zip.add("m/byteorder", "little");
    zip.add("m/models/model.json", std::move(model));
    zip.add("m/data/weights/model_weights_config.json", kWeights);
    zip.add("m/data/weights/weight_0", std::string(16, '\0'));
    return zip.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 2 == 1) bytes = archive_around(std::move(bytes));
    esper::graph::ImportOptions options;
    options.verify = false;
    auto model = esper::graph::import_pt2(bytes, nullptr, options);
    if (model && model->program->outputs().empty()) __builtin_trap();
    return 0;
}
