// Not compiled by this repository's tests, which run on Linux: SwiftUI and AVKit are Apple's.
#if canImport(SwiftUI) && canImport(AVKit)
    import AVKit
    import Pipevideo
    import SwiftUI

    /// A prompt, its progress, and the video.
    ///
    /// The app keeps the model, so that it outlives the view: a create that is under way when the view
    /// is closed has an id to give back to it.
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
                    goOn
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
                    goOn
                    Button("Another video") { model.reset() }
                }
            }
            .padding()
            .onChange(of: model.generationID) { generation = model.generationID }
            .task {
                if let generation, model.phase == .idle { model.resume(generation) }
            }
        }

        /// What was stopped, or met an error on the way, goes on at the service.
        @ViewBuilder private var goOn: some View {
            if let id = model.generationID {
                Button("Go on with the last one") { model.resume(id) }
            }
        }
    }
#endif
