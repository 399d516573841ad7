//! `transfers`: files to and from the device.

use trellis_cwmp::*;

use crate::bindings::transfers::{
    AnyQueuedTransfer, DownloadRequest, Host, QueuedTransfer, ScheduleDownloadRequest,
    TransferStatus, UploadRequest,
};
use crate::bindings::types::Error;
use crate::state::{Failure, RunState, to_guest};

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

impl Host for RunState {
    async fn download(&mut self, request: DownloadRequest) -> Answer<TransferStatus> {
        let request = Download {
            command_key: request.command_key,
            file_type: request.file_type,
            url: request.url,
            username: request.username,
            password: Secret::new(request.password),
            file_size: request.file_size,
            target_file_name: request.target_file_name,
            delay_seconds: request.delay_seconds,
            success_url: request.success_url,
            failure_url: request.failure_url,
        };
        to_guest(self.transfer(Message::Download(request)).await)
    }

    async fn upload(&mut self, request: UploadRequest) -> Answer<TransferStatus> {
        let request = Upload {
            command_key: request.command_key,
            file_type: request.file_type,
            url: request.url,
            username: request.username,
            password: Secret::new(request.password),
            delay_seconds: request.delay_seconds,
        };
        to_guest(self.transfer(Message::Upload(request)).await)
    }

    async fn schedule_download(&mut self, request: ScheduleDownloadRequest) -> Answer<()> {
        let windows = request.windows.into_iter().map(|window| TimeWindowStruct {
            window_start: window.start,
            window_end: window.end,
            window_mode: window.mode,
            user_message: window.user_message,
            max_retries: window.max_retries,
        });
        let request = ScheduleDownload {
            command_key: request.command_key,
            file_type: request.file_type,
            url: request.url,
            username: request.username,
            password: Secret::new(request.password),
            file_size: request.file_size,
            target_file_name: request.target_file_name,
            time_window_list: windows.collect(),
        };
        to_guest(self.call(Message::ScheduleDownload(request)).await.map(|_| ()))
    }

    async fn cancel_transfer(&mut self, command_key: String) -> Answer<()> {
        let request = Message::CancelTransfer(CancelTransfer { command_key });
        to_guest(self.call(request).await.map(|_| ()))
    }

    async fn get_queued_transfers(&mut self) -> Answer<Vec<QueuedTransfer>> {
        let list = self.ask(Message::GetQueuedTransfers, |answer| match answer {
            Message::GetQueuedTransfersResponse(it) => Some(it.transfer_list),
            _ => None,
        });
        to_guest(list.await.map(|list| {
            let list = list.into_iter();
            list.map(|it| QueuedTransfer { command_key: it.command_key, state: it.state }).collect()
        }))
    }

    async fn get_all_queued_transfers(&mut self) -> Answer<Vec<AnyQueuedTransfer>> {
        let list = self.ask(Message::GetAllQueuedTransfers, |answer| match answer {
            Message::GetAllQueuedTransfersResponse(it) => Some(it.transfer_list),
            _ => None,
        });
        to_guest(list.await.map(|list| {
            let list = list.into_iter();
            list.map(|it| AnyQueuedTransfer {
                command_key: it.command_key,
                state: it.state,
                is_download: it.is_download,
                file_type: it.file_type,
                file_size: it.file_size,
                target_file_name: it.target_file_name,
            })
            .collect()
        }))
    }
}

impl RunState {
    async fn transfer(&mut self, request: Message) -> Result<TransferStatus, Failure> {
        let status = self.ask(request, |answer| match answer {
            Message::DownloadResponse(it) | Message::UploadResponse(it) => Some(it),
            _ => None,
        });
        let trellis_cwmp::TransferStatus { status, start_time, complete_time } = status.await?;
        Ok(TransferStatus { status, start_time, complete_time })
    }
}
