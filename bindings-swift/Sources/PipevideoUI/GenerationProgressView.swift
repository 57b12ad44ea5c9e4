// Not compiled by this repository's tests, which run on Linux: SwiftUI is Apple's.
#if canImport(SwiftUI)
    import Pipevideo
    import SwiftUI

    /// The progress of a generation, with its status, and its error if it failed.
    ///
    /// ```swift
    /// GenerationProgressView(model)
    /// ```
    @available(iOS 17, macOS 14, tvOS 17, watchOS 10, visionOS 1, *)
    public struct GenerationProgressView: View {
        private let model: GenerationModel

        /// Creates a view of a model.
        public init(_ model: GenerationModel) {
            self.model = model
        }

        /// The bar while the generation is in progress, and the error's text after it failed.
        public var body: some View {
            if model.isWorking {
                ProgressView(value: model.progress) {
                    Text(label)
                }
                .accessibilityValue(
                    Text(model.progress, format: .percent.precision(.fractionLength(0))))
            } else if let error = model.error {
                Label(error.localizedDescription, systemImage: "exclamationmark.triangle")
                    .foregroundStyle(.secondary)
            }
        }

        private var label: LocalizedStringKey {
            switch model.status {
            case .queued?, nil: "Queued"
            case .inProgress?: "In progress"
            default: "Finishing"
            }
        }
    }
#endif
