package quickbooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"

	"tillbook.example/tillbook/collector/target"
	"tillbook.example/tillbook/collector/target/web"
)

type wireAttachable struct {
	ID            string `json:"Id,omitempty"`
	SyncToken     string `json:"SyncToken,omitempty"`
	FileName      string
	ContentType   string
	AttachableRef []wireAttached
}

type wireAttached struct {
	EntityRef struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
}

// Attach adds a file. QuickBooks keeps files of the same name side by side, so
// older ones are deleted after the new one is there.
func (b *Books) Attach(ctx context.Context, reference string, a target.Attachment) error {
	fail := func(err error) error { return fmt.Errorf("attach to %s: %w", reference, err) }
	if err := a.Validate(); err != nil {
		return fail(fmt.Errorf("%w: %w", target.ErrRefused, err))
	}
	s, err := b.known(ctx)
	if err != nil {
		return err
	}
	found, err := b.find(ctx, s, reference)
	if err != nil {
		return err
	}
	standing := standingOf(found)
	if len(standing) == 0 {
		return fail(fmt.Errorf("%w: nothing stands under it", target.ErrRefused))
	}
	d := standing[0]
	older, err := queryAll[wireAttachable](ctx, b, "Attachable", fmt.Sprintf("AttachableRef.EntityRef.Type = '%s' and AttachableRef.EntityRef.value = '%s'", d.kind, d.id))
	if err != nil {
		return fail(err)
	}
	if err := b.upload(ctx, d, a); err != nil {
		return fail(err)
	}
	var errs []error
	for _, o := range older {
		if o.FileName != a.Name {
			continue
		}
		text, err := marshal(o)
		if err == nil {
			err = b.post(ctx, "/attachable", url.Values{"operation": {"delete"}}, "application/json", text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("delete the older %s: %w", a.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fail(err)
	}
	return nil
}

func (b *Books) upload(ctx context.Context, d document, a target.Attachment) error {
	meta := wireAttachable{FileName: a.Name, ContentType: a.Type, AttachableRef: make([]wireAttached, 1)}
	meta.AttachableRef[0].EntityRef.Type, meta.AttachableRef[0].EntityRef.Value = d.kind, d.id
	text, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range []struct {
		name, file, media string
		body              []byte
	}{{"file_metadata_01", "attachment.json", "application/json", text}, {"file_content_01", a.Name, a.Type, a.Body}} {
		w, err := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, part.name, part.file)}, "Content-Type": {part.media},
		})
		if err == nil {
			_, err = w.Write(part.body)
		}
		if err != nil {
			return err
		}
	}
	if err := form.Close(); err != nil {
		return err
	}
	return b.post(ctx, "/upload", url.Values{}, form.FormDataContentType(), body.Bytes())
}

func (b *Books) post(ctx context.Context, path string, query url.Values, media string, body []byte) error {
	query.Set("minorversion", minorVersion)
	response, err := b.client.Do(ctx, web.Request{Method: http.MethodPost, Path: path, Query: query, Type: media, Body: body, Writes: true})
	if err != nil {
		return err
	}
	if f, isFault := faultOf(response); isFault {
		return f.writing()
	}
	return nil
}
