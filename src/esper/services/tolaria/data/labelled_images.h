#pragma once

#include "esper/services/tolaria/data/image_files.h"
#include "esper/services/tolaria/data/open_dataset.h"
#include "esper/services/tolaria/data/table_dataset.h"

namespace esper::tolaria {

/// Images of which a table says what is on each.
struct LabelledImages {
    ImageFiles list;     ///< class_names are the target's
    TableTarget target;  ///< of each row of the table
};

inline constexpr const char* kLabelsFile = "labels.csv";

/// Reads `root/labels.csv`: a file's name in the first column, relative to root or unique below it,
/// with or without its extension. Then a column of 1 and 0 for each label, or one column: of
/// several labels with '|', ';' or ',' between them (of spaces only where data.task says
/// multi_label), or of one class. data.target names some of the columns. A first part of the name
/// that is train, val or test is the image's part. Nothing where no row names an image. Errors:
/// those of read_table_file; kBadOption; kCorrupt for rows without an image and images without a
/// row, unless options.skip_corrupt leaves them out.
Result<std::optional<LabelledImages>> list_labelled_images(const std::filesystem::path& root,
                                                           const DataOptions& options);

}  // namespace esper::tolaria
