#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"

namespace esper::tolaria {

/// One file of a folder of images.
struct ImageFile {
    std::filesystem::path path;
    std::uint16_t label = 0;
    Part part = Part::kTrain;  ///< of the data's own parts; train: what the shares divide
    std::uint32_t row = 0;     ///< of labels.csv (labelled_images.h)
};

/// The files of a folder with a sub-folder for each class, in the order of their names.
struct ImageFiles {
    std::vector<std::string> class_names;
    std::vector<ImageFile> files;
    bool has_validation = false;
    bool has_test = false;
    std::vector<std::string> notes;  ///< what lies there and is not read
};

/// The JPEG and PNG files of a folder at any depth, by name; files of other kinds are counted by
/// extension.
std::vector<std::filesystem::path> image_files_in(const std::filesystem::path& folder,
                                                  std::map<std::string, int>& others);

/// Lists `root/<class>/**` or, where root has a folder train, `root/{train,val,test}/<class>/**`.
/// Hidden files are passed over, files of other kinds counted. Errors: kMissing; kCorrupt for a
/// class of val or test that train lacks; kUnsupportedFormat where nothing can be read.
Result<ImageFiles> list_images(const std::filesystem::path& root);

}  // namespace esper::tolaria
