//! A wgpu program on wasm32: its own device, a volume that is loaded to it asynchronously, and a shader of its own.

use voxload::{DataobjImage, Gpu, Texels, TextureOptions};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// Sums the texels of each slice across the third axis.
const SHADER: &str = "
@group(0) @binding(0) var volume: texture_3d<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64) fn sum(@builtin(global_invocation_id) id: vec3u) {
  let size = textureDimensions(volume);
  if (id.x >= size.z) { return; }
  var sum = 0.0;
  for (var j = 0u; j < size.y; j++) {
    for (var i = 0u; i < size.x; i++) {
      sum += textureLoad(volume, vec3u(i, j, id.x), 0).r;
    }
  }
  sums[id.x] = sum;
}
";

/// The sum of each slice of a file's first volume, computed on the device.
#[wasm_bindgen(js_name = sliceSums)]
pub async fn slice_sums(file: Vec<u8>) -> Result<Vec<f32>, JsValue> {
    let text =
        |error: &dyn std::fmt::Display| JsValue::from(js_sys::Error::new(&error.to_string()));

    // What every program of wgpu does.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default());
    let adapter = adapter.await.map_err(|error| text(&error))?;
    let request = adapter.request_device(&wgpu::DeviceDescriptor::default());
    let (device, queue) = request.await.map_err(|error| text(&error))?;

    // The library works on the program's device.
    let gpu = Gpu::from_device(&device, &queue);
    let image = DataobjImage::from_bytes(file).map_err(|error| text(&error))?;
    let options = TextureOptions::new(Texels::R32Float);
    let volume = image.texture_async(&gpu, &options).await;
    let volume = volume.map_err(|error| text(&error))?;
    let slices = volume.shape[2] as u64;

    // And the program works on what was loaded.
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(SHADER.into()),
    });
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty,
        count: None,
    };
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &[
            entry(
                0,
                wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Float { filterable: false },
                    view_dimension: wgpu::TextureViewDimension::D3,
                    multisampled: false,
                },
            ),
            entry(
                1,
                wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: false },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
            ),
        ],
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some("sum"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let sums = voxload::DeviceArray::<f32>::zeroed_async(&gpu, &[slices as usize]).await;
    let sums = sums.map_err(|error| text(&error))?;
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &layout,
        entries: &[
            wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::TextureView(&volume.view),
            },
            wgpu::BindGroupEntry {
                binding: 1,
                resource: sums.buffer().as_entire_binding(),
            },
        ],
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(slices.div_ceil(64) as u32, 1, 1);
    }
    queue.submit([encoder.finish()]);
    let sums = sums.download_async().await.map_err(|error| text(&error))?;
    Ok(sums.as_slice().to_vec())
}
