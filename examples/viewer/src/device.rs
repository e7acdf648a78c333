//! The viewer's wgpu device, and drawing the scene on it.

use std::sync::{Arc, OnceLock};

use voxload::Gpu;

use crate::Outcome;
use crate::scene::Uniforms;
use crate::text::Ink;

/// The viewer's device, and voxload's handle for it.
pub(crate) struct Device {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub gpu: Gpu,
    /// The first error that the device reported.
    fault: Arc<OnceLock<String>>,
}

impl Device {
    /// The best adapter, for a surface or for none.
    pub(crate) fn open(
        instance: &wgpu::Instance,
        surface: Option<&wgpu::Surface>,
    ) -> Outcome<(Self, wgpu::Adapter)> {
        let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            compatible_surface: surface,
            ..Default::default()
        });
        let adapter = pollster::block_on(adapter)?;
        let useful = wgpu::Features::FLOAT32_FILTERABLE;
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("viewer"),
            required_features: adapter.features() & useful,
            required_limits: adapter.limits(),
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request)?;
        let gpu = Gpu::from_device(&device, &queue);
        // voxload installs no callbacks on a caller's device, so the loss is forwarded to it.
        let handle = gpu.clone();
        device.set_device_lost_callback(move |_, _| handle.mark_lost());
        let fault = Arc::new(OnceLock::new());
        let error_slot = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            // Later errors follow from the first one.
            let _ = error_slot.set(error.to_string());
        }));
        Ok((
            Self {
                device,
                queue,
                gpu,
                fault,
            },
            adapter,
        ))
    }

    /// The error that the device reported, if any.
    pub(crate) fn check(&self) -> Outcome {
        match self.fault.get() {
            Some(fault) => Err(fault.clone().into()),
            None => Ok(()),
        }
    }
}

/// Draws scenes.
pub(crate) struct Renderer {
    layout: wgpu::BindGroupLayout,
    words: wgpu::RenderPipeline,
    slices: wgpu::RenderPipeline,
    maximum: wgpu::RenderPipeline,
    transfer: wgpu::RenderPipeline,
    sampler: wgpu::Sampler,
    uniforms: wgpu::Buffer,
    ink: wgpu::Texture,
}

impl Renderer {
    pub(crate) fn new(device: &Device, format: wgpu::TextureFormat, size: [u32; 2]) -> Self {
        let ink = ink(device, size);
        let device = &device.device;
        let module = device.create_shader_module(wgpu::include_wgsl!("scene.wgsl"));
        let layout = layout(device);
        let pipelines = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("scene"),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = |entry_point| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(entry_point),
                layout: Some(&pipelines),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("corner"),
                    compilation_options: Default::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(entry_point),
                    compilation_options: Default::default(),
                    targets: &[Some(format.into())],
                }),
                multiview_mask: None,
                cache: None,
            })
        };
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("between voxels"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("scene"),
            size: size_of::<Uniforms>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self {
            words: pipeline("words"),
            slices: pipeline("slices"),
            maximum: pipeline("maximum"),
            transfer: pipeline("transfer"),
            layout,
            sampler,
            uniforms,
            ink,
        }
    }

    pub(crate) fn resize(&mut self, device: &Device, size: [u32; 2]) {
        self.ink = ink(device, size);
    }

    /// Draws a scene of this volume to a picture of the ink's size.
    pub(crate) fn draw(
        &self,
        Device { device, queue, .. }: &Device,
        scene: &Uniforms,
        volume: &wgpu::TextureView,
        text: &Ink,
        picture: &wgpu::TextureView,
    ) {
        queue.write_buffer(&self.uniforms, 0, bytemuck::bytes_of(scene));
        queue.write_texture(
            self.ink.as_image_copy(),
            &text.pixels,
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(text.size[0]),
                rows_per_image: None,
            },
            self.ink.size(),
        );
        let text = self
            .ink
            .create_view(&wgpu::TextureViewDescriptor::default());
        let resources = [
            self.uniforms.as_entire_binding(),
            wgpu::BindingResource::TextureView(volume),
            wgpu::BindingResource::Sampler(&self.sampler),
            wgpu::BindingResource::TextureView(&text),
        ];
        let entries: Vec<_> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.layout,
            entries: &entries,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("scene"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: picture,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        pass.set_bind_group(0, &group, &[]);
        pass.set_pipeline(&self.words);
        pass.draw(0..3, 0..1);
        for (panel, area) in (0..).zip(scene.panels) {
            let [left, top, width, height] = area.map(|pixels| pixels as u32);
            if width == 0 || height == 0 {
                continue;
            }
            pass.set_scissor_rect(left, top, width, height);
            pass.set_pipeline(match panel {
                ..3 => &self.slices,
                _ if scene.zooms[3] == 0.0 => &self.maximum,
                _ => &self.transfer,
            });
            pass.draw(0..3, panel..panel + 1);
        }
        drop(pass);
        queue.submit([encoder.finish()]);
    }
}

fn layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let texture = |view_dimension| wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: true },
        view_dimension,
        multisampled: false,
    };
    let uniform = wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Uniform,
        has_dynamic_offset: false,
        min_binding_size: None,
    };
    let types = [
        uniform,
        texture(wgpu::TextureViewDimension::D3),
        wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
        texture(wgpu::TextureViewDimension::D2),
    ];
    let entries = (0..)
        .zip(types)
        .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty,
            count: None,
        });
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("scene"),
        entries: &entries.collect::<Vec<_>>(),
    })
}

fn ink(device: &Device, [width, height]: [u32; 2]) -> wgpu::Texture {
    device.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("text"),
        size: wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}
