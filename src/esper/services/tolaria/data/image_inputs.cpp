#include "esper/services/tolaria/data/image_inputs.h"

#include "esper/services/tolaria/data/augment.h"
#include "esper/services/tolaria/data/image_file.h"

namespace esper::tolaria {

Result<std::vector<float>> image_input(std::string_view bytes, const DatasetInfo& data) {
    const auto channels = static_cast<int>(data.input_shape.at(0));
    const auto side = static_cast<int>(data.input_shape.at(1));
    ESPER_TRY(const auto pixels, read_square_image(bytes, static_cast<std::uint32_t>(side),
                                                   static_cast<std::uint32_t>(channels)));
    std::vector<float> input(pixels.size());
    place_image(pixels.data(), channels, side, side, Placement{},
                Normalisation(data.mean, data.deviation), data.layout, input.data());
    return input;
}

}  // namespace esper::tolaria
