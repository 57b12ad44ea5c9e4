// Not compiled by this repository's tests, which run on Linux: SwiftUI and AVKit are Apple's.
#if canImport(SwiftUI) && canImport(AVKit)
    import AVKit
    import Pipevideo
    import SwiftUI

    /// A prompt, the progress, and the video.
    ///
    /// The app owns the model, so that it outlives the view. If the view is closed while a create is
    /// under way, the model still receives the generation's id.
    ///
    /// ```swift
    /// VideoView(model: VideoModel(client: client))
    /// ```
    public struct VideoView: View {
        @State private var model: VideoModel
        @State private var prompt = ""
        @SceneStorage("generation") private var generation: String?

        public init(model: VideoModel) {
            _model = State(initialValue: model)
        }

        public var body: some View {
            VStack(spacing: 16) {
                switch model.phase {
                case .idle:
                    TextField("A cat walking on a beach at sunset", text: $prompt, axis: .vertical)
                        .textFieldStyle(.roundedBorder)
                    Button("Create") { model.create(prompt: prompt) }
                        .disabled(prompt.isEmpty)
                    resumeButton
                case .working(let progress, let status):
                    ProgressView(value: progress) { Text(status.rawValue) }
                    Button("Stop", role: .cancel) { model.cancel() }
                case .ready(let url):
                    VideoPlayer(player: AVPlayer(url: url))
                        .aspectRatio(9 / 16, contentMode: .fit)
                    Button("Another video") { model.reset() }
                case .failed(let message):
                    ContentUnavailableView(
                        "No video", systemImage: "film", description: Text(message)
                    )
                    resumeButton
                    Button("Another video") { model.reset() }
                }
            }
            .padding()
            .onChange(of: model.generationID) { generation = model.generationID }
            .task {
                if let generation, model.phase == .idle { model.resume(generation) }
            }
        }

        /// Shown after a stop or an error, when the generation may continue.
        @ViewBuilder private var resumeButton: some View {
            if let id = model.generationID {
                Button("Resume the last video") { model.resume(id) }
            }
        }
    }
#endif
