#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_DATA_KINDS(X)   \
    X(kText, 0, "text")       \
    X(kCifar10, 1, "cifar10") \
    X(kDrawn, 2, "drawn")     \
    X(kTable, 3, "table")     \
    X(kNumpy, 4, "numpy")     \
    X(kIdx, 5, "idx")         \
    X(kImages, 6, "images")   \
    X(kTokens, 7, "tokens")   \
    X(kCifar100, 8, "cifar100")
ESPER_CONTRACT_ENUM(DataKind, ESPER_DATA_KINDS)

/// Whether data of this kind always have a test part of their own.
constexpr bool brings_test(DataKind kind) {
    return kind == DataKind::kCifar10 || kind == DataKind::kCifar100;
}

#define ESPER_DATA_TASKS(X)                 \
    X(kAuto, 0, "auto")                     \
    X(kClassification, 1, "classification") \
    X(kRegression, 2, "regression")         \
    X(kMultiLabel, 3, "multi_label")
ESPER_CONTRACT_ENUM(DataTask, ESPER_DATA_TASKS)

#define ESPER_CORRUPT_RULES(X) X(kRefuse, 0, "refuse") X(kSkip, 1, "skip")
ESPER_CONTRACT_ENUM(CorruptRule, ESPER_CORRUPT_RULES)

#define ESPER_AUGMENT_KEYS(X)                                                                  \
    X(bool, flip, true, rule::any(), "mirror half of the images left to right")                \
    X(int, shift, 4, rule::within(0, 64), "move by up to this many pixels; 0: not at all")     \
    X(int, cutout, 0, rule::within(0, 256), "side of the square that is blanked; 0: none")     \
    X(double, erasing, 0.0, rule::within(0, 1),                                                \
      "share of the images in which a rectangle of random size and shape is blanked")          \
    X(int, randaugment, 0, rule::within(0, 16),                                                \
      "operations of RandAugment's standard set that an image passes through; 0: none")        \
    X(int, magnitude, 9, rule::within(0, 30), "how strong those operations are (randaugment)") \
    X(double, mixup, 0.0, rule::at_least(0),                                                   \
      "alpha of the Beta distribution by which two images are averaged; 0: not at all")        \
    X(double, cutmix, 0.0, rule::at_least(0),                                                  \
      "the same for a rectangle that is taken from another image; with both, each batch has "  \
      "one of the two")
ESPER_CONFIG_SECTION(AugmentConfig, ESPER_AUGMENT_KEYS)

#define ESPER_SPLIT_KEYS(X)                                                                      \
    X(double, train, 0.8, rule::inside(0, 1), "share that the network learns from")              \
    X(double, probe, 0.1, rule::inside(0, 1), "share that only the gates look at")               \
    X(double, validation, 0.05, rule::inside(0, 1), "share for the controller and for stopping") \
    X(double, test, 0.05, rule::below(0, 1),                                                     \
      "share read once, at the end; 0 for cifar10 and cifar100, which bring their own test "     \
      "images; not used where other data bring a part of their own")                             \
    X(std::int64_t, seed, 0, rule::at_least(0),                                                  \
      "which examples come into which part; not of text and cifar10, whose parts are fixed")
ESPER_CONFIG_SECTION(SplitConfig, ESPER_SPLIT_KEYS)

#define ESPER_DATA_KEYS(X)                                                                         \
    X(DataKind, kind, DataKind::kText, rule::any(),                                                \
      "plain text; CIFAR in its binary layout; images drawn on the fly; a table (CSV, "            \
      "Parquet); NumPy arrays; IDX (MNIST's layout); folders of images; a file of token numbers")  \
    X(std::string, path, "data/tinyshakespeare.txt", rule::any(),                                  \
      "file, folder or pattern; 'esper data info PATH' says what it is. For cifar10 empty, or "    \
      "the default "                                                                               \
      "text: where 'esper data fetch' puts it; drawn images need none")                            \
    X(std::string, target, "", rule::any(),                                                        \
      "the column that is predicted, by its name (table; images with a labels.csv); empty: the "   \
      "last one, of labels.csv all but the first. Several, 'a,b' or "                              \
      "'tag_*', are labels of which each holds or does not")                                       \
    X(DataTask, task, DataTask::kAuto, rule::any(),                                                \
      "what is predicted: a class, a number or several labels; auto: by the target's values "      \
      "(table, numpy, images with a labels.csv)")                                                  \
    X(std::string, tokenizer, "characters", rule::text(TextForm::kNotEmpty),                       \
      "how a text becomes tokens (text): characters, bytes, or the path of a tokenizer.json with " \
      "a byte-level BPE, as GPT-2's")                                                              \
    X(int, image_size, 0, rule::within(0, 1024),                                                   \
      "side in pixels to which images are scaled (images); 0: fits most of them, at most 64")      \
    X(Names, resolution, {}, rule::text(TextForm::kImageSize),                                     \
      "sides in pixels through which the images grow while the run goes on ('16, 24@30%, "         \
      "32@60%'): each with the share of the run, of its budget where it has one, from which on "   \
      "it holds; the last is the size that the network is tested and exported at; none: the "      \
      "data's own")                                                                                \
    X(CorruptRule, corrupt, CorruptRule::kRefuse, rule::any(),                                     \
      "files or rows that cannot be read: name them and refuse, or name them and go on without")   \
    X(int, batch_size, 32, rule::within(1, 1 << 20), "examples in an optimizer step")              \
    X(int, context, 0, rule::within(0, 1 << 20),                                                   \
      "characters of an example (text); 0: the model's context")                                   \
    X(std::int64_t, train_examples, 0, rule::at_least(0),                                          \
      "use only so many training examples, or draw so many; 0: all, or 20,000 drawn")              \
    X(int, workers, 1, rule::within(0, 256),                                                       \
      "threads that prepare batches; 0: the training thread does it")                              \
    X(AugmentConfig, augment, {}, rule::any(), "changes made to training images")                  \
    X(SplitConfig, split, {}, rule::any(), "the four disjoint parts of the data")
ESPER_CONFIG_SECTION(DataConfig, ESPER_DATA_KEYS)

}  // namespace esper::configs
